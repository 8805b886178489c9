//! What the desired schema itself says in comments: old names, and what rows get.

use upfront_directory::{AnnotationKind, AnnotationTarget, annotations};

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    error::{Error, Kind, Result},
    generate::{column_expression::ColumnExpression, fills, lookup},
    kinds::object_kind::ObjectKind,
    scratch::load,
};

/// The annotations of texts of SQL: `-- renamed from: x`, `@renamed from=x` and `-- fill: x`.
#[derive(Clone, Debug, Default)]
pub struct Annotations(Vec<ParsedAnnotation>);

#[derive(Clone, Debug)]
struct ParsedAnnotation {
    at: AnnotationPlace,
    target: AnnotationTarget,
    names: Vec<String>,
    kind: AnnotationKind,
}

/// Where an annotation stands, for messages.
#[derive(Clone, Debug)]
pub(crate) struct AnnotationPlace {
    place: String,
    excerpt: String,
}

impl AnnotationPlace {
    fn of(label: &str, text: &str, offset: usize) -> Self {
        let (place, excerpt) = load::excerpt(label, text, offset);
        Self { place, excerpt }
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        let (place, excerpt) = (self.place.clone(), self.excerpt.clone());
        Kind::Statement { place, excerpt, message: message.into(), is_missing: false }.into()
    }
}

/// An object of the desired schema, and what it was called.
#[derive(Clone, Debug)]
pub(crate) struct RenameAnnotation {
    /// By its name of now; its table, too, has that.
    pub(crate) new: Identity,
    pub(crate) old: String,
    pub(crate) at: AnnotationPlace,
}

impl RenameAnnotation {
    /// The object by its old name, in a table that has its new one.
    pub(crate) fn old(&self) -> Identity {
        let mut id = self.new.clone();
        id.names.pop();
        id.names.push(self.old.clone());
        id
    }
}

impl Annotations {
    /// Reads them from texts, each with what messages call it.
    ///
    /// # Errors
    ///
    /// If the target of an annotation cannot be determined, with its place.
    pub fn read(texts: &[(String, String)]) -> Result<Self> {
        let mut all = Vec::new();
        for (label, text) in texts {
            for it in annotations(text) {
                let it = it.map_err(|it| {
                    AnnotationPlace::of(label, text, it.range.start).error(it.reason)
                })?;
                let at = AnnotationPlace::of(label, text, it.range.start);
                all.push(ParsedAnnotation {
                    at,
                    target: it.target,
                    names: it.names,
                    kind: it.kind,
                });
            }
        }
        Ok(Self(all))
    }

    /// Whether there are no annotations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn renames(&self, wanted: &Facts) -> Result<Vec<RenameAnnotation>> {
        let one = |it: &ParsedAnnotation| match &it.kind {
            AnnotationKind::Fill(_) => None,
            AnnotationKind::RenamedFrom(old) => Some(it.id(wanted).map(|new| RenameAnnotation {
                new,
                old: old.clone(),
                at: it.at.clone(),
            })),
        };
        self.0.iter().filter_map(one).collect()
    }

    /// Those that are for the way between these schemas and that nothing else says.
    pub(crate) fn fills(
        &self,
        have: &Facts,
        wanted: &Facts,
        given: &[ColumnExpression],
    ) -> Result<Vec<ColumnExpression>> {
        let mut all = Vec::new();
        for it in &self.0 {
            let AnnotationKind::Fill(expression) = &it.kind else { continue };
            let id = it.id(wanted)?;
            let is_given = given.iter().any(|it| lookup::is_named(&id.names, &it.column));
            if !is_given && becomes_not_null(have, wanted, &id) {
                let column = wanted.find(&id).map(|at| &wanted.all[at]);
                if have.find(&id).is_none()
                    && column.is_some_and(|it| fills::gets_value(wanted, it))
                {
                    return Err(it.at.error("the column is new, and rows get its default"));
                }
                all.push(ColumnExpression { column: id.names, expression: expression.clone() });
            }
        }
        Ok(all)
    }
}

/// Whether rows that are there need a value in it.
fn becomes_not_null(have: &Facts, wanted: &Facts, column: &Identity) -> bool {
    let is_not_null = |facts: &Facts| {
        facts.get(ObjectKind::Column, &column.names).is_some_and(|it: &Fact| it.is("not_null"))
    };
    let table = &column.names[..column.names.len() - 1];
    is_not_null(wanted) && !is_not_null(have) && have.get(ObjectKind::Table, table).is_some()
}

impl ParsedAnnotation {
    /// What it is on, as the desired schema has it.
    fn id(&self, wanted: &Facts) -> Result<Identity> {
        if self.target == AnnotationTarget::Label {
            return self.label(wanted);
        }
        let kinds = kinds(self.target);
        let found = lookup::find(wanted, &kinds, &self.names);
        found.map(|it| it.id.clone()).map_err(|why| {
            let what = kinds.first().map_or("object", |kind| kind.name());
            let name = self.names.join(".");
            self.at.error(format!("no {what} `{name}` is in the desired schema: {why}"))
        })
    }

    fn label(&self, wanted: &Facts) -> Result<Identity> {
        let (label, path) = self.names.split_last().unwrap_or((&self.at.place, &[]));
        let owner =
            lookup::find(wanted, &[ObjectKind::Enum], path).map_err(|why| self.at.error(why))?;
        Ok(Identity::new(
            ObjectKind::EnumValue,
            &[owner.id.names.as_slice(), std::slice::from_ref(label)].concat(),
        ))
    }
}

/// The kinds that a target may be of. SQL has one word for most types.
fn kinds(target: AnnotationTarget) -> Vec<ObjectKind> {
    match target {
        AnnotationTarget::Column => vec![ObjectKind::Column],
        AnnotationTarget::Constraint => vec![ObjectKind::TableConstraint],
        AnnotationTarget::Label => vec![ObjectKind::Enum],
        AnnotationTarget::Object(word) => {
            let all = ObjectKind::ALL.iter().copied();
            let is_meant = |it: &ObjectKind| it.noun().eq_ignore_ascii_case(word);
            all.filter(|it| it.is_renamed_by_comment() && is_meant(it)).collect()
        }
    }
}
