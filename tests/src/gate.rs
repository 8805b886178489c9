//! A place at which a migration waits until the test lets it go on.

use upfront_scratch::Database;

use crate::until;

/// A gate in a database, shut at first.
#[derive(Debug)]
pub struct Gate<'a>(&'a Database<'static>);

impl<'a> Gate<'a> {
    /// The statement that waits at it.
    pub const WAIT: &'static str = "SELECT public.gate();\n";

    /// Builds one.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn shut(database: &'a Database<'static>) -> Self {
        const GATE: &str = "CREATE TABLE public.gates AS SELECT true AS shut;\
             CREATE FUNCTION public.gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
             WHILE (SELECT shut FROM public.gates) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$;";
        database.execute(GATE).unwrap();
        Self(database)
    }

    /// Builds one at which every statement of a kind, such as `DROP INDEX`, waits before it looks
    /// at anything.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn before(tag: &str, database: &'a Database<'static>) -> Self {
        let gate = Self::shut(database);
        let trigger = format!(
            "CREATE FUNCTION public.gate_of_statements() RETURNS event_trigger LANGUAGE plpgsql \
             AS $$ BEGIN PERFORM public.gate(); END $$;CREATE EVENT TRIGGER gate ON \
             ddl_command_start WHEN TAG IN ('{tag}') EXECUTE FUNCTION public.gate_of_statements()"
        );
        database.execute(&trigger).unwrap();
        gate
    }

    /// Waits until somebody stands before it.
    pub async fn reached(&self) {
        until(&self.0.url(), Self::HOW_MANY, "1").await;
    }

    /// How many stand before it.
    pub const HOW_MANY: &'static str = "SELECT count(*) FROM pg_stat_activity WHERE datname = \
         current_database() AND wait_event = 'PgSleep'";

    /// Lets everybody through from now on.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub fn open(&self) {
        self.0.execute("UPDATE public.gates SET shut = false").unwrap();
    }
}
