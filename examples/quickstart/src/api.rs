//! The HTTP interface of the service.

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Query, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use deadpool_postgres::{Object, Pool};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

/// The pool, once the schema is up to date: no handler gets a connection before.
#[derive(Clone, Default)]
pub(crate) struct ReadyPool(Arc<OnceLock<Pool>>);

impl ReadyPool {
    pub(crate) fn set(&self, pool: Pool) {
        self.0.get_or_init(|| pool);
    }

    fn pool(&self) -> Result<&Pool, Failure> {
        self.0.get().ok_or(Failure::NotReady)
    }
}

pub(crate) fn router(pool: ReadyPool) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/notes", get(list).post(add))
        .with_state(pool)
}

async fn ready(State(ready): State<ReadyPool>) -> Result<&'static str, Failure> {
    ready.pool()?;
    Ok("ready\n")
}

#[derive(Serialize)]
struct Note {
    id: i64,
    topic: String,
    body: String,
    created_at: String,
}

#[derive(Deserialize)]
struct Filter {
    topic: Option<String>,
}

#[derive(Deserialize)]
struct NewNote {
    topic: String,
    body: String,
}

/// `GET /notes` and `GET /notes?topic=…`: the newest hundred.
async fn list(
    Connection(client): Connection,
    Query(filter): Query<Filter>,
) -> Result<Json<Vec<Note>>, Failure> {
    const SQL: &str = "SELECT id, topic, body, created_at::text FROM notes \
         WHERE topic = coalesce($1, topic) ORDER BY id DESC LIMIT 100";
    let rows = client.query(SQL, &[&filter.topic]).await?;
    Ok(Json(rows.iter().map(Note::from).collect()))
}

/// `POST /notes`
async fn add(
    Connection(client): Connection,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), Failure> {
    const SQL: &str = "INSERT INTO notes (topic, body) VALUES ($1, $2) \
         RETURNING id, topic, body, created_at::text";
    let row = client.query_one(SQL, &[&note.topic, &note.body]).await?;
    Ok((StatusCode::CREATED, Json(Note::from(&row))))
}

impl From<&Row> for Note {
    fn from(row: &Row) -> Self {
        Self { id: row.get(0), topic: row.get(1), body: row.get(2), created_at: row.get(3) }
    }
}

/// A connection for one request.
struct Connection(Object);

impl FromRequestParts<ReadyPool> for Connection {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, ready: &ReadyPool) -> Result<Self, Failure> {
        Ok(Self(ready.pool()?.get().await.map_err(anyhow::Error::new)?))
    }
}

/// Why a request failed.
enum Failure {
    /// The schema is not up to date yet.
    NotReady,
    /// The database rejects the values.
    Refused(String),
    /// A fault of the service; the log has the details.
    Internal(anyhow::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(err: tokio_postgres::Error) -> Self {
        match err.as_db_error() {
            // SQLSTATE class 23: integrity constraint violation.
            Some(it) if it.code().code().starts_with("23") => Self::Refused(it.message().into()),
            _ => Self::Internal(err.into()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(err: anyhow::Error) -> Self {
        Self::Internal(err)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "migrating\n").into_response(),
            Self::Refused(why) => {
                (StatusCode::UNPROCESSABLE_ENTITY, format!("{why}\n")).into_response()
            }
            Self::Internal(err) => {
                tracing::error!("{err:#}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
