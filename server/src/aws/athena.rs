//! Amazon Athena's API, as much as the tools use
//! (<https://docs.aws.amazon.com/athena/latest/APIReference/>).

use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::client::{AwsClient, AwsRequest, Refusal};
use super::error::AwsError;
use crate::auth::BearerToken;

/// Athena for one caller at a time.
#[derive(Clone, Debug)]
pub struct Athena {
    client: AwsClient,
}

/// Where a query runs.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct QueryContext {
    /// The data catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// The database in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// The state of a query execution.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionState {
    /// Waiting for its turn.
    Queued,
    /// At work.
    Running,
    /// Done, with results.
    Succeeded,
    /// Ended without results.
    Failed,
    /// Stopped.
    Cancelled,
}

/// A query execution.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    /// How far it is.
    pub status: ExecutionStatus,
    /// What it has cost so far.
    #[serde(default)]
    pub statistics: Statistics,
}

/// How far a query execution is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionStatus {
    /// The state.
    pub state: ExecutionState,
    /// Why it is in it.
    pub state_change_reason: Option<String>,
}

/// What a query has cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statistics {
    /// Bytes read, which is what AWS bills.
    pub data_scanned_in_bytes: Option<i64>,
    /// Milliseconds.
    pub total_execution_time_in_millis: Option<i64>,
}

/// A page of a query's results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultPage {
    /// Names and types.
    pub columns: Vec<(String, String)>,
    /// Cells as Athena has them: texts, or nothing.
    pub rows: Vec<Vec<Option<String>>>,
    /// Where the next page begins.
    pub next_token: Option<String>,
}

impl Athena {
    /// Athena through `client`.
    pub fn new(client: AwsClient) -> Self {
        Self { client }
    }

    /// Starts a query and gives its execution's id.
    ///
    /// # Errors
    /// When Athena does not take it.
    pub async fn start(
        &self,
        token: &BearerToken,
        sql: &str,
        work_group: &str,
        context: &QueryContext,
    ) -> Result<String, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Started {
            query_execution_id: String,
        }
        let request = json!({
            "QueryString": sql,
            "WorkGroup": work_group,
            "QueryExecutionContext": context,
        });
        let started: Started = self.call(token, "StartQueryExecution", request).await?;
        Ok(started.query_execution_id)
    }

    /// How far an execution is.
    ///
    /// # Errors
    /// When Athena does not say.
    pub async fn execution(&self, token: &BearerToken, id: &str) -> Result<Execution, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Got {
            query_execution: Execution,
        }
        let request = json!({ "QueryExecutionId": id });
        let got: Got = self.call(token, "GetQueryExecution", request).await?;
        Ok(got.query_execution)
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// When Athena does not.
    pub async fn stop(&self, token: &BearerToken, id: &str) -> Result<(), AwsError> {
        let request = json!({ "QueryExecutionId": id });
        let _: Value = self.call(token, "StopQueryExecution", request).await?;
        Ok(())
    }

    /// A page of results; the first page's first row are the column names.
    ///
    /// # Errors
    /// When Athena gives none.
    pub async fn results(
        &self,
        token: &BearerToken,
        id: &str,
        max_results: i64,
        next_token: Option<&str>,
    ) -> Result<ResultPage, AwsError> {
        let mut request = json!({ "QueryExecutionId": id, "MaxResults": max_results });
        if let Some(next_token) = next_token {
            request["NextToken"] = next_token.into();
        }
        let raw: RawResults = self.call(token, "GetQueryResults", request).await?;
        Ok(raw.into())
    }

    /// The names of the work groups that are enabled, at most 50.
    ///
    /// # Errors
    /// When Athena does not say.
    pub async fn work_groups(&self, token: &BearerToken) -> Result<Vec<String>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Groups {
            #[serde(default)]
            work_groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Group {
            name: String,
            state: Option<String>,
        }
        let groups: Groups = self
            .call(token, "ListWorkGroups", json!({ "MaxResults": 50 }))
            .await?;
        let enabled = |group: &Group| group.state.as_deref() != Some("DISABLED");
        let groups = groups.work_groups.into_iter().filter(enabled);
        Ok(groups.map(|group| group.name).collect())
    }

    /// The names of the data catalogs, at most 50.
    ///
    /// # Errors
    /// When Athena does not say.
    pub async fn catalogs(&self, token: &BearerToken) -> Result<Vec<String>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Catalogs {
            #[serde(default)]
            data_catalogs_summary: Vec<Catalog>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Catalog {
            catalog_name: String,
        }
        let request = json!({ "MaxResults": 50 });
        let catalogs: Catalogs = self.call(token, "ListDataCatalogs", request).await?;
        let catalogs = catalogs.data_catalogs_summary.into_iter();
        Ok(catalogs.map(|catalog| catalog.catalog_name).collect())
    }

    /// The names of a catalog's databases, at most 50.
    ///
    /// # Errors
    /// When Athena does not say.
    pub async fn databases(
        &self,
        token: &BearerToken,
        catalog: &str,
    ) -> Result<Vec<String>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Databases {
            #[serde(default)]
            database_list: Vec<Database>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Database {
            name: String,
        }
        let request = json!({ "CatalogName": catalog, "MaxResults": 50 });
        let databases: Databases = self.call(token, "ListDatabases", request).await?;
        Ok(databases
            .database_list
            .into_iter()
            .map(|database| database.name)
            .collect())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        token: &BearerToken,
        operation: &'static str,
        input: Value,
    ) -> Result<T, AwsError> {
        let region = &self.client.aws.region;
        let request = AwsRequest {
            service: "athena",
            operation,
            region,
            method: Method::POST,
            url: self.url().ok_or(AwsError::Unsignable { operation })?,
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", format!("AmazonAthena.{operation}")),
            ],
            body: Bytes::from(input.to_string()),
        };
        let answer = self.client.send(token, request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .map_err(|_| AwsError::Unreadable { operation });
        }
        let refusal = refusal(answer.status, &answer.body);
        let resource = "such query, work group or catalog in Athena".to_owned();
        Err(self
            .client
            .refusal(token, operation, resource, refusal)
            .await)
    }

    fn url(&self) -> Option<Url> {
        let aws = &self.client.aws;
        match &aws.endpoint {
            Some(endpoint) => Some(endpoint.join([""])),
            None => {
                let (region, suffix) = (&aws.region, aws.region.dns_suffix());
                Url::parse(&format!("https://athena.{region}.{suffix}/")).ok()
            }
        }
    }
}

/// An error of the JSON protocol
/// (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).
fn refusal(status: http::StatusCode, body: &[u8]) -> Refusal {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = error["__type"].as_str().unwrap_or("unknown error");
    let message = error["message"]
        .as_str()
        .or_else(|| error["Message"].as_str());
    Refusal {
        status,
        code: code.rsplit('#').next().unwrap_or(code).to_owned(),
        message: message.unwrap_or("no more is said").to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawResults {
    result_set: RawSet,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSet {
    #[serde(default)]
    rows: Vec<RawRow>,
    #[serde(default)]
    result_set_metadata: RawMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRow {
    #[serde(default)]
    data: Vec<RawCell>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawCell {
    var_char_value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetadata {
    #[serde(default)]
    column_info: Vec<RawColumn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawColumn {
    name: String,
    #[serde(rename = "Type")]
    kind: String,
}

impl From<RawResults> for ResultPage {
    fn from(raw: RawResults) -> Self {
        let columns = raw.result_set.result_set_metadata.column_info.into_iter();
        let rows = raw.result_set.rows.into_iter();
        let cells = |row: RawRow| {
            row.data
                .into_iter()
                .map(|cell| cell.var_char_value)
                .collect()
        };
        Self {
            columns: columns.map(|column| (column.name, column.kind)).collect(),
            rows: rows.map(cells).collect(),
            next_token: raw.next_token,
        }
    }
}
