//! How SQL refers to an object.

use crate::{catalog::identity::Identity, kinds::object_kind::Reference, quote};

/// How SQL refers to something behind its noun.
pub(crate) fn reference(id: &Identity) -> String {
    let own = quote::name(id.name());
    match id.kind.reference() {
        Reference::OnTable => format!("{own} ON {}", id.owner_path()),
        Reference::OnDomain => format!("{own} ON DOMAIN {}", id.owner_path()),
        Reference::Routine => format!("{}({})", id.path(), id.arguments.join(", ")),
        Reference::Aggregate => format!("{}({})", id.path(), aggregate_arguments(id)),
        Reference::Cast => format!("({})", id.arguments.join(" AS ")),
        Reference::Operator => {
            let schema = quote::name(&id.names[0]);
            format!("{schema}.{} ({})", id.name(), id.arguments.join(", "))
        }
        Reference::UsingMethod => using_method(id),
        Reference::Transform => format!("FOR {} LANGUAGE {own}", id.arguments.join(", ")),
        Reference::UserMapping => user_mapping(id),
        Reference::Path | Reference::Target => id.path(),
    }
}

fn aggregate_arguments(id: &Identity) -> String {
    let arguments = id.arguments.join(", ");
    if arguments.is_empty() { "*".to_owned() } else { arguments }
}

/// The access method stands behind the name.
fn using_method(id: &Identity) -> String {
    let method = id.arguments.first().map(|it| quote::name(it)).unwrap_or_default();
    format!("{} USING {method}", quote::qualified(&id.names))
}

fn user_mapping(id: &Identity) -> String {
    let user = id.names.first().map(String::as_str).unwrap_or_default();
    let user = if user == "PUBLIC" { user.to_owned() } else { quote::name(user) };
    format!("FOR {user} SERVER {}", quote::name(id.name()))
}
