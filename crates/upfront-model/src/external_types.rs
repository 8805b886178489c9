//! Types of other crates, each behind the feature of its name.

#[cfg(feature = "chrono")]
impl<Tz: chrono::TimeZone> crate::SqlType for chrono::DateTime<Tz> {
    const TYPE: crate::Type = crate::Type::sql("timestamp with time zone");
}

#[cfg(feature = "chrono")]
crate::sql_type::sql_types! {
    chrono::NaiveDate => "date",
    chrono::NaiveDateTime => "timestamp without time zone",
    chrono::NaiveTime => "time without time zone",
    chrono::TimeDelta => "interval",
}

#[cfg(feature = "jiff")]
crate::sql_type::sql_types! {
    jiff::Timestamp => "timestamp with time zone",
    jiff::civil::Date => "date",
    jiff::civil::DateTime => "timestamp without time zone",
    jiff::civil::Time => "time without time zone",
    jiff::SignedDuration => "interval",
    jiff::Span => "interval",
}

#[cfg(feature = "rust_decimal")]
crate::sql_type::sql_types! {
    rust_decimal::Decimal => "numeric",
}

#[cfg(feature = "serde_json")]
crate::sql_type::sql_types! {
    serde_json::Value => "jsonb",
    serde_json::Map<String, serde_json::Value> => "jsonb",
}

#[cfg(feature = "time")]
crate::sql_type::sql_types! {
    time::Date => "date",
    time::Duration => "interval",
    time::OffsetDateTime => "timestamp with time zone",
    time::PrimitiveDateTime => "timestamp without time zone",
    time::Time => "time without time zone",
    time::UtcDateTime => "timestamp with time zone",
}

#[cfg(feature = "uuid")]
crate::sql_type::sql_types! {
    uuid::Uuid => "uuid",
}
