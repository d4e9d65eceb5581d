//! The sample stack: three buckets of an imagined institute, a dozen packages.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::DEMO_TOKEN;
use crate::catalog::{Bucket, Catalog, Entry, Package, Revision, User};

const RAW: &str = "quilt-local-raw";
const ANALYSIS: &str = "quilt-local-analysis";
const REFERENCE: &str = "quilt-local-reference";

pub(crate) fn catalog() -> Catalog {
    Catalog {
        users: BTreeMap::from([(DEMO_TOKEN.to_owned(), demo_user())]),
        buckets: buckets(),
        packages: [raw(), analysis(), reference()].concat(),
    }
}

fn demo_user() -> User {
    User {
        name: "demo".to_owned(),
        email: "demo@quilt.example".to_owned(),
        is_admin: false,
        roles: vec!["ReadWriteScientist".to_owned(), "ReadOnly".to_owned()],
    }
}

fn buckets() -> Vec<Bucket> {
    let bucket = |name: &str, title: &str, description: &str, tags: &[&str], relevance| Bucket {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        relevance,
        tables: BTreeMap::new(),
    };
    vec![
        bucket(
            ANALYSIS,
            "Analysis",
            "Processed results, reviewed and ready to share.",
            &["results", "reviewed"],
            90,
        ),
        bucket(
            RAW,
            "Instrument data",
            "As the sequencers, plate readers and microscopes wrote it.",
            &["sequencing", "imaging", "assays"],
            70,
        ),
        bucket(
            REFERENCE,
            "Reference",
            "Genomes, panels and annotations that analyses build on.",
            &["reference"],
            40,
        ),
    ]
}

fn raw() -> Vec<Package> {
    vec![
        package(
            RAW,
            "genomics/rnaseq-liver-2026-03",
            [
                revision(
                    "2026-04-02T09:14:00Z",
                    "Add lane 4, which failed its first demultiplexing",
                    json!({"assay": "RNA-seq", "tissue": "liver", "samples": 48, "instrument": "NovaSeq X"}),
                    &[
                        ("README.md", 2_104),
                        ("samples.csv", 9_871),
                        ("fastq/lane3_R1.fastq.gz", 41_238_110_208),
                        ("fastq/lane4_R1.fastq.gz", 40_911_452_160),
                        ("qc/multiqc_report.html", 4_718_592),
                    ],
                ),
                revision(
                    "2026-03-18T16:40:00Z",
                    "First delivery from the sequencing core",
                    json!({"assay": "RNA-seq", "tissue": "liver", "samples": 36, "instrument": "NovaSeq X"}),
                    &[
                        ("README.md", 1_877),
                        ("samples.csv", 7_402),
                        ("fastq/lane3_R1.fastq.gz", 41_238_110_208),
                    ],
                ),
            ],
        ),
        package(
            RAW,
            "genomics/wgs-trio-017",
            [revision(
                "2026-02-11T11:02:00Z",
                "Family 017: proband, mother, father at 30x",
                json!({"assay": "WGS", "coverage": 30, "family": "017"}),
                &[
                    ("proband.cram", 18_253_611_008),
                    ("mother.cram", 17_922_260_992),
                    ("father.cram", 18_010_341_376),
                    ("pedigree.ped", 412),
                ],
            )],
        ),
        package(
            RAW,
            "imaging/organoid-plate-12",
            [revision(
                "2026-05-06T07:55:00Z",
                "Day 14 stacks, two channels",
                json!({"assay": "confocal microscopy", "plate": 12, "day": 14, "channels": ["DAPI", "GFP"]}),
                &[
                    ("B02/stack.ome.tiff", 2_147_483_648),
                    ("B03/stack.ome.tiff", 2_147_483_648),
                    ("plate_layout.csv", 3_120),
                ],
            )],
        ),
        package(
            RAW,
            "assays/elisa-il6-run-88",
            [revision(
                "2026-04-22T13:30:00Z",
                "Repeat of run 87 with a fresh standard curve",
                json!({"assay": "ELISA", "analyte": "IL-6", "run": 88}),
                &[("plate.xlsx", 48_220), ("standards.csv", 1_024)],
            )],
        ),
        package(
            RAW,
            "proteomics/plasma-dia-cohort-b",
            [revision(
                "2026-01-29T18:21:00Z",
                "96 plasma samples, data-independent acquisition",
                json!({"assay": "LC-MS/MS", "mode": "DIA", "samples": 96}),
                &[
                    ("raw/plate1.mzML", 7_516_192_768),
                    ("raw/plate2.mzML", 7_301_444_403),
                    ("samples.csv", 12_288),
                ],
            )],
        ),
    ]
}

fn analysis() -> Vec<Package> {
    vec![
        package(
            ANALYSIS,
            "genomics/rnaseq-liver-counts",
            [
                revision(
                    "2026-04-09T10:05:00Z",
                    "Recount with lane 4 and GRCh38.p14",
                    json!({"pipeline": "rnaseq", "version": "3.14.0", "reference": "GRCh38.p14", "samples": 48}),
                    &[
                        ("counts.parquet", 88_604_672),
                        ("deseq2/treated_vs_control.csv", 5_242_880),
                        ("quilt_summarize.json", 640),
                    ],
                ),
                revision(
                    "2026-03-25T15:48:00Z",
                    "Counts for the first 36 samples",
                    json!({"pipeline": "rnaseq", "version": "3.14.0", "reference": "GRCh38.p13", "samples": 36}),
                    &[("counts.parquet", 66_453_504)],
                ),
            ],
        ),
        package(
            ANALYSIS,
            "genomics/trio-017-variants",
            [revision(
                "2026-02-20T08:12:00Z",
                "Joint calls and the de novo shortlist",
                json!({"pipeline": "sarek", "family": "017", "de_novo": 3}),
                &[
                    ("joint.vcf.gz", 1_288_490_188),
                    ("joint.vcf.gz.tbi", 2_097_152),
                    ("de_novo.csv", 911),
                ],
            )],
        ),
        package(
            ANALYSIS,
            "imaging/organoid-segmentation",
            [revision(
                "2026-05-12T12:00:00Z",
                "Nuclei masks and per-cell features for plate 12",
                json!({"model": "cellpose-3", "plate": 12, "cells": 184_220}),
                &[
                    ("masks/B02.zarr.zip", 94_371_840),
                    ("features.parquet", 31_457_280),
                ],
            )],
        ),
        package(
            ANALYSIS,
            "proteomics/plasma-cohort-b-quant",
            [revision(
                "2026-02-14T17:33:00Z",
                "Protein quantities, batch corrected",
                json!({"software": "DIA-NN 2.0", "proteins": 1_482, "fdr": 0.01}),
                &[("proteins.parquet", 20_971_520), ("report.html", 1_572_864)],
            )],
        ),
        package(
            ANALYSIS,
            "clinical/biomarker-panel-q2",
            [revision(
                "2026-06-30T21:10:00Z",
                "Second quarter, frozen for the review board",
                json!({"quarter": "2026-Q2", "analytes": ["IL-6", "CRP", "TNF-a"], "status": "frozen"}),
                &[
                    ("panel.csv", 262_144),
                    ("figures/il6_by_arm.svg", 40_960),
                    ("minutes.pdf", 180_224),
                ],
            )],
        ),
    ]
}

fn reference() -> Vec<Package> {
    vec![
        package(
            REFERENCE,
            "genomes/grch38-p14",
            [revision(
                "2025-09-03T09:00:00Z",
                "Primary assembly with decoys, and its indices",
                json!({"species": "Homo sapiens", "assembly": "GRCh38.p14"}),
                &[
                    ("genome.fa.gz", 983_659_424),
                    ("genome.fa.gz.fai", 155_648),
                    ("annotation/gencode.v47.gtf.gz", 61_865_984),
                ],
            )],
        ),
        package(
            REFERENCE,
            "panels/immune-markers",
            [revision(
                "2025-11-17T14:25:00Z",
                "Add the exhaustion markers",
                json!({"genes": 412, "curator": "immunology"}),
                &[("panel.csv", 18_432)],
            )],
        ),
    ]
}

fn package(bucket: &str, name: &str, revisions: impl IntoIterator<Item = Revision>) -> Package {
    Package {
        bucket: bucket.to_owned(),
        name: name.to_owned(),
        revisions: revisions.into_iter().collect(),
    }
}

fn revision(modified: &str, message: &str, metadata: Value, entries: &[(&str, u64)]) -> Revision {
    Revision {
        modified: modified.to_owned(),
        message: message.to_owned(),
        metadata: match metadata {
            Value::Object(metadata) => metadata,
            _ => Map::new(),
        },
        workflow: None,
        entries: entries
            .iter()
            .map(|(path, size)| Entry {
                path: (*path).to_owned(),
                size: *size,
                physical_key: None,
                hash: None,
                meta: None,
            })
            .collect(),
    }
}
