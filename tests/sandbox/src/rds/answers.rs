//! The endpoints in what RDS says about clusters and their instances, and how their master secrets are.

use super::xml;

/// The answer with the endpoints of the connected clusters in it; nothing if it speaks of none of them.
pub(super) fn with_endpoints<'a>(answer: &str, endpoint: impl Fn(&str) -> Option<(&'a str, u16)>) -> Option<String> {
    with_each(answer, |kind, cluster, element| {
        let (host, port) = endpoint(cluster)?;
        Some(kind.with_endpoint(element, host, port))
    })
}

/// The answer with the master secrets of these clusters impaired, as RDS says once it cannot rotate them; nothing if it speaks
/// of none of them.
pub(super) fn with_impaired(answer: &str, is_impaired: impl Fn(&str) -> bool) -> Option<String> {
    with_each(answer, |_, cluster, element| {
        is_impaired(cluster).then(|| xml::with_text(element, "SecretStatus", "impaired"))
    })
}

/// The answer with some of its clusters and instances changed, each with the name of its cluster; nothing if none is.
fn with_each(answer: &str, change: impl Fn(Kind, &str, &str) -> Option<String>) -> Option<String> {
    let mut changed = String::with_capacity(answer.len());
    let (mut rest, mut any) = (answer, false);
    while let Some((kind, place)) = next(rest) {
        let element = &rest[place.clone()];
        changed.push_str(&rest[..place.start]);
        match xml::text(element, "DBClusterIdentifier").and_then(|cluster| change(kind, cluster, element)) {
            Some(other) => {
                any = true;
                changed.push_str(&other);
            }
            None => changed.push_str(element),
        }
        rest = &rest[place.end..];
    }
    changed.push_str(rest);
    any.then_some(changed)
}

#[derive(Clone, Copy)]
enum Kind {
    Cluster,
    Instance,
}

impl Kind {
    fn with_endpoint(self, element: &str, host: &str, port: u16) -> String {
        let port = port.to_string();
        match self {
            Self::Cluster => {
                let named = xml::with_text(element, "Endpoint", host);
                xml::with_text(&xml::with_text(&named, "ReaderEndpoint", host), "Port", &port)
            }
            Self::Instance => {
                // Only there once an instance is up.
                let Some(place) = xml::place(element, "Endpoint") else { return element.to_owned() };
                let endpoint = xml::with_text(&element[place.clone()], "Address", host);
                let mut changed = element.to_owned();
                changed.replace_range(place, &xml::with_text(&endpoint, "Port", &port));
                changed
            }
        }
    }
}

/// The next cluster or instance, and where its text is.
fn next(xml: &str) -> Option<(Kind, std::ops::Range<usize>)> {
    let kinds = [(Kind::Cluster, "DBCluster"), (Kind::Instance, "DBInstance")];
    kinds
        .into_iter()
        .filter_map(|(kind, name)| Some((kind, xml::place(xml, name)?)))
        .min_by_key(|(_, place)| place.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, host: &str, port: u16) -> String {
        format!(
            "<DBCluster><DBClusterIdentifier>{name}</DBClusterIdentifier><Endpoint>{host}</Endpoint>\
             <ReaderEndpoint>{host}</ReaderEndpoint><Port>{port}</Port><DBClusterMembers><DBClusterMember>\
             <DBInstanceIdentifier>i</DBInstanceIdentifier></DBClusterMember></DBClusterMembers></DBCluster>"
        )
    }

    fn instance(name: &str, endpoint: &str) -> String {
        format!(
            "<DBInstance>{endpoint}<DbInstancePort>0</DbInstancePort>\
             <DBClusterIdentifier>{name}</DBClusterIdentifier></DBInstance>"
        )
    }

    fn only_a(name: &str) -> Option<(&'static str, u16)> {
        (name == "a").then_some(("localhost", 7))
    }

    #[test]
    fn connected_clusters_get_their_endpoint_and_others_keep_theirs() {
        let answer = format!("<R>{}\n{}</R>", cluster("b", "aws", 1), cluster("a", "aws", 1));
        let wanted = format!("<R>{}\n{}</R>", cluster("b", "aws", 1), cluster("a", "localhost", 7));
        assert_eq!(with_endpoints(&answer, only_a), Some(wanted));
        assert_eq!(with_endpoints(&cluster("b", "aws", 1), only_a), None);
        assert_eq!(with_endpoints("<R><DBClusters/></R>", only_a), None);
    }

    #[test]
    fn instances_too_once_they_have_one() {
        let endpoint =
            |host: &str, port: u16| format!("<Endpoint><Address>{host}</Address><Port>{port}</Port></Endpoint>");
        let answer = instance("a", &endpoint("aws", 1)) + &instance("", &endpoint("aws", 1)) + &instance("a", "");
        let wanted = instance("a", &endpoint("localhost", 7)) + &instance("", &endpoint("aws", 1)) + &instance("a", "");
        assert_eq!(with_endpoints(&answer, only_a), Some(wanted));
    }

    #[test]
    fn a_master_secret_is_impaired_where_it_is_said() {
        let cluster = |name: &str, status: &str| {
            format!(
                "<DBCluster><DBClusterIdentifier>{name}</DBClusterIdentifier><MasterUserSecret>\
                 <SecretStatus>{status}</SecretStatus></MasterUserSecret></DBCluster>"
            )
        };
        let answer = cluster("a", "active") + &cluster("b", "active");
        assert_eq!(
            with_impaired(&answer, |name| name == "b"),
            Some(cluster("a", "active") + &cluster("b", "impaired"))
        );
        assert_eq!(with_impaired(&answer, |_| false), None);
    }
}
