//! The classes, by what they disturb: how their points are enumerated, and how one is tried.

mod failover;
mod herd;
mod hostile;
mod link;
mod pooler;
mod race;
mod scarce;
mod session;

use crate::{
    class::Class,
    failure::Result,
    lab::Lab,
    point::{Point, Tried},
};

/// All points of the class.
///
/// # Errors
///
/// An undisturbed run, which counts them, fails.
pub(crate) async fn points(class: Class, lab: &Lab) -> Result<Vec<Point>> {
    let spots = match class {
        Class::Kill | Class::Reset | Class::Close | Class::HalfOpen | Class::Slow => {
            link::spots(class, lab).await?
        }
        Class::Terminate
        | Class::Cancel
        | Class::Crash
        | Class::RestartFast
        | Class::RestartImmediate => session::spots(lab).await?,
        Class::FailoverSync | Class::FailoverAsync => failover::spots(class, lab).await?,
        Class::Scarce => scarce::spots(),
        Class::Herd => herd::spots(),
        Class::Pooler => pooler::spots(),
        Class::Race => race::spots(),
        Class::Hostile => hostile::spots(),
    };
    let point = |(scenario, spot)| Point { class, scenario, spot };
    Ok(spots.into_iter().map(point).collect())
}

/// Tries one point.
///
/// # Errors
///
/// A promise did not hold, or the point does not exist.
pub(crate) async fn try_point(lab: &Lab, point: &Point) -> Result<Tried> {
    match point.class {
        Class::Kill | Class::Reset | Class::Close => link::cut(lab, point).await,
        Class::HalfOpen => link::swallow(lab, point).await,
        Class::Slow => link::slow(lab, point).await,
        Class::Terminate | Class::Cancel => session::end(lab, point).await,
        Class::Crash | Class::RestartFast | Class::RestartImmediate => {
            session::stop_server(lab, point).await
        }
        Class::FailoverSync | Class::FailoverAsync => failover::fail_over(lab, point).await,
        Class::Scarce => scarce::lack(lab, point).await,
        Class::Herd => herd::crowd(lab, point).await,
        Class::Pooler => pooler::herd(lab, point).await,
        Class::Race => race::race(lab, point).await,
        Class::Hostile => hostile::attack(lab, point).await,
    }
}
