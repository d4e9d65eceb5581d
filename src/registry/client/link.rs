//! Where a list of the registry goes on.

use reqwest::header::{HeaderMap, LINK};

/// The address of the next page: the target of the first `Link` whose relation is `next` (RFC 8288,
/// section 3).
pub fn next_page(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(LINK).into_iter();
    let mut links = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(links);
    links.find_map(|(target, parameters)| is_next(parameters).then_some(target))
}

/// The target and the parameters of each link of a header.
fn links(value: &str) -> impl Iterator<Item = (&str, &str)> {
    // Each begins with `<`, which no address holds.
    value.split('<').filter_map(|link| link.split_once('>'))
}

fn is_next(parameters: &str) -> bool {
    parameters.split([';', ',']).any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else {
            return false;
        };
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_as_registries_name_it() {
        for (values, expected) in [
            (&[][..], None),
            (&["</v2/a?last=x>; rel=\"next\""][..], Some("/v2/a?last=x")),
            (&["</v2/a?b=1,2>;rel=next"], Some("/v2/a?b=1,2")),
            (&["</a>; title=\"x\"; Rel=\"last NEXT\""], Some("/a")),
            (&["</a>; rel=prev, </b>; rel=\"next\""], Some("/b")),
            (&["</a>; rel=\"prev\"", "</b>; rel=\"next\""], Some("/b")),
            (&["</a>; rel=\"nextish\""], None),
            (&["</a>"], None),
            (&["/a; rel=\"next\""], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LINK, value.parse().unwrap());
            }
            assert_eq!(next_page(&headers), expected, "{values:?}");
        }
    }
}
