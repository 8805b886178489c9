//! Which SQL type a Rust type has.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use crate::name::Name;

/// A Rust type that a column can have.
///
/// Implemented for the usual types; those of other crates stand behind features with the crates'
/// names. [`Option`] makes a column nullable, [`Vec`] an array; `Vec<u8>` is `bytea`.
///
/// A type of your own says how PostgreSQL calls it:
///
/// ```
/// use upfront_model::{SqlType, Type};
///
/// struct Email(String);
///
/// impl SqlType for Email {
///     const TYPE: Type = Type::sql("citext");
/// }
///
/// struct UserId(i64);
///
/// impl SqlType for UserId {
///     const TYPE: Type = i64::TYPE;
/// }
/// # assert_eq!(<Option<Email>>::TYPE.to_string(), "citext");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no SQL type",
    label = "no SQL type is known for this",
    note = "name one with `#[col(type = \"…\")]`, implement `SqlType`, derive `PgEnum` for an enum, \
            or turn on the feature of upfront-model with the crate's name"
)]
pub trait SqlType {
    /// Its name, and whether it may be `NULL`.
    const TYPE: Type;
}

/// A SQL type, and whether a column of it may be `NULL`.
///
/// [`Display`](fmt::Display) writes it as SQL has it.
///
/// ```
/// use upfront_model::{SqlType, Type};
///
/// assert_eq!(Type::sql("numeric(12, 2)").array().to_string(), "numeric(12, 2)[]");
/// assert_eq!(<Vec<String>>::TYPE.to_string(), "text[]");
/// assert!(<Option<i64>>::TYPE.is_nullable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    pub(crate) kind: Kind,
    pub(crate) array: bool,
    nullable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sql(&'static str),
    Named(Name),
    /// Of a model whose derive has failed: it stands for all, so that one mistake is one error.
    Unknown,
}

impl Type {
    /// The type that SQL calls so, modifiers included: `citext`, `numeric(12, 2)`, `app."Mood"`.
    #[must_use]
    pub const fn sql(text: &'static str) -> Self {
        Self { kind: Kind::Sql(text), array: false, nullable: false }
    }

    /// The type of that name, which is quoted: an enum or a domain.
    #[must_use]
    pub const fn named(name: Name) -> Self {
        Self { kind: Kind::Named(name), array: false, nullable: false }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn unknown() -> Self {
        Self { kind: Kind::Unknown, array: false, nullable: false }
    }

    /// An array of it. Its elements may be `NULL`, as PostgreSQL knows no other arrays; an array of
    /// arrays has the same type.
    #[must_use]
    pub const fn array(self) -> Self {
        Self { kind: self.kind, array: true, nullable: false }
    }

    /// The same, or `NULL`.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self { kind: self.kind, array: self.array, nullable: true }
    }

    /// Whether a column of it may be `NULL`.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Sql(text) => f.write_str(text)?,
            Kind::Named(name) => write!(f, "{name}")?,
            Kind::Unknown => f.write_str("unknown")?,
        }
        f.write_str(if self.array { "[]" } else { "" })
    }
}

/// Each Rust type and how `format_type` of PostgreSQL calls its SQL type.
macro_rules! sql_types {
    ($($rust:ty => $sql:literal,)*) => {
        $(impl $crate::SqlType for $rust {
            const TYPE: $crate::Type = $crate::Type::sql($sql);
        })*
    };
}
// Without those features nobody else has a use for it.
#[allow(unused_imports)]
pub(crate) use sql_types;

sql_types! {
    bool => "boolean",
    i16 => "smallint",
    i32 => "integer",
    i64 => "bigint",
    f32 => "real",
    f64 => "double precision",
    str => "text",
    String => "text",
    [u8] => "bytea",
    Vec<u8> => "bytea",
    IpAddr => "inet",
    SystemTime => "timestamp with time zone",
}

impl<const N: usize> SqlType for [u8; N] {
    const TYPE: Type = <[u8]>::TYPE;
}

impl<T: SqlType> SqlType for Option<T> {
    const TYPE: Type = T::TYPE.nullable();
}

impl<T: SqlType> SqlType for [T] {
    const TYPE: Type = T::TYPE.array();
}

impl<T: SqlType> SqlType for Vec<T> {
    const TYPE: Type = T::TYPE.array();
}

impl<T: SqlType, const N: usize> SqlType for [T; N] {
    const TYPE: Type = T::TYPE.array();
}

impl<T: SqlType + ?Sized> SqlType for &T {
    const TYPE: Type = T::TYPE;
}

impl<T: SqlType + ?Sized> SqlType for Box<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: SqlType + ?Sized> SqlType for Rc<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: SqlType + ?Sized> SqlType for Arc<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: SqlType + ToOwned + ?Sized> SqlType for Cow<'_, T> {
    const TYPE: Type = T::TYPE;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: SqlType + ?Sized>(sql: &str, nullable: bool) {
        assert_eq!((T::TYPE.to_string().as_str(), T::TYPE.is_nullable()), (sql, nullable));
    }

    #[test]
    fn names_the_type_as_postgresql_does() {
        check::<bool>("boolean", false);
        check::<Option<i64>>("bigint", true);
        check::<&'static str>("text", false);
        check::<Cow<'static, str>>("text", false);
        check::<Box<str>>("text", false);
        check::<Vec<u8>>("bytea", false);
        check::<[u8; 32]>("bytea", false);
        check::<Vec<Vec<u8>>>("bytea[]", false);
        check::<Vec<Option<String>>>("text[]", false);
        check::<Option<Vec<i32>>>("integer[]", true);
        check::<[[f64; 2]; 2]>("double precision[]", false);
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn knows_uuid() {
        check::<uuid::Uuid>("uuid", false);
    }

    #[cfg(feature = "chrono")]
    #[test]
    fn knows_chrono() {
        check::<Option<chrono::DateTime<chrono::Utc>>>("timestamp with time zone", true);
        check::<chrono::NaiveDateTime>("timestamp without time zone", false);
    }

    #[cfg(feature = "time")]
    #[test]
    fn knows_time() {
        check::<time::OffsetDateTime>("timestamp with time zone", false);
        check::<Vec<time::Date>>("date[]", false);
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn knows_jiff() {
        check::<jiff::Timestamp>("timestamp with time zone", false);
        check::<jiff::civil::Time>("time without time zone", false);
    }

    #[cfg(feature = "rust_decimal")]
    #[test]
    fn knows_rust_decimal() {
        check::<rust_decimal::Decimal>("numeric", false);
    }

    #[cfg(feature = "serde_json")]
    #[test]
    fn knows_serde_json() {
        check::<serde_json::Value>("jsonb", false);
    }
}
