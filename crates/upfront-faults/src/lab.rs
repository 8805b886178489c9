//! The servers of a run, started when a class first needs them.

use std::sync::{Arc, Mutex, PoisonError};

use upfront_scratch::{Builder, Server};

use crate::{
    arena::Arena,
    failure::Result,
    scenario::{self, Scenario},
    statements::Library,
};

/// The servers of one major version.
pub(crate) struct Lab {
    major: Option<u32>,
    /// The names of the scenarios whose points are counted; if empty, all of them.
    scenarios: Vec<String>,
    shared: tokio::sync::Mutex<Option<Arc<Arena>>>,
    counting: tokio::sync::Mutex<Option<Arc<Arena>>>,
    /// Servers that a point may stop; nobody else uses one meanwhile.
    stoppable: Mutex<Vec<Arena>>,
    library: tokio::sync::Mutex<Option<Arc<Library>>>,
}

impl Lab {
    /// A lab without servers so far.
    pub(crate) fn new(major: Option<u32>, scenarios: Vec<String>) -> Self {
        Self {
            major,
            scenarios,
            shared: None.into(),
            counting: None.into(),
            stoppable: Vec::new().into(),
            library: None.into(),
        }
    }

    /// The scenarios whose points are counted.
    pub(crate) fn scenarios(&self) -> impl Iterator<Item = &'static Scenario> {
        let is_wanted =
            |it: &str| self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == it);
        scenario::all().filter(move |it| is_wanted(it.name))
    }

    /// A server of the lab's version.
    pub(crate) fn builder(&self) -> Builder {
        self.major.map_or_else(Server::builder, |it| Server::builder().major(it))
    }

    /// The server for points that leave it running.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn shared(&self) -> Result<Arc<Arena>> {
        let mut shared = self.shared.lock().await;
        match &*shared {
            Some(it) => Ok(Arc::clone(it)),
            None => Ok(Arc::clone(shared.insert(Arc::new(Arena::start(self.builder())?)))),
        }
    }

    /// The library that acts before each statement.
    ///
    /// # Errors
    ///
    /// There is no C compiler.
    pub(crate) async fn library(&self) -> Result<Arc<Library>> {
        let major = self.version().await?;
        let mut library = self.library.lock().await;
        match &*library {
            Some(it) => Ok(Arc::clone(it)),
            None => Ok(Arc::clone(library.insert(Arc::new(Library::compile(major)?)))),
        }
    }

    /// The server for points that act before a statement and leave the server running.
    ///
    /// # Errors
    ///
    /// It does not start, or there is no C compiler.
    pub(crate) async fn counting(&self) -> Result<Arc<Arena>> {
        let library = self.library().await?;
        let mut counting = self.counting.lock().await;
        if let Some(it) = &*counting {
            return Ok(Arc::clone(it));
        }
        let arena = Arena::start(library.loaded(self.builder()))?;
        Ok(Arc::clone(counting.insert(Arc::new(arena))))
    }

    /// A server that the caller may stop, to be given back when it runs again.
    ///
    /// # Errors
    ///
    /// It does not start, or there is no C compiler.
    pub(crate) async fn take_stoppable(&self) -> Result<Arena> {
        let idle = self.stoppable.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(it) => Ok(it),
            None => Arena::start(self.library().await?.loaded(self.builder())),
        }
    }

    /// Takes a server back that runs.
    pub(crate) fn give_back(&self, arena: Arena) {
        self.stoppable.lock().unwrap_or_else(PoisonError::into_inner).push(arena);
    }

    /// The major version.
    ///
    /// # Errors
    ///
    /// No server starts.
    pub(crate) async fn version(&self) -> Result<u32> {
        match self.major {
            Some(it) => Ok(it),
            None => Ok(self.shared().await?.server().version().major()),
        }
    }
}
