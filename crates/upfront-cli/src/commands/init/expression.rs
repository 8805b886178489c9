//! Expressions of HCL, as texts with the variables of `upfront.toml`.

use std::collections::BTreeMap;

use hcl_edit::{
    Span,
    expr::{Expression, ObjectKey, Traversal, TraversalOperator},
    structure::Body,
    template::{Element, Template},
};

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// With `${NAME}` for variables of the environment, and `$$` for a dollar sign.
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
    /// The lines `NAME=value` of a file.
    Variables,
    /// Another block: `data.external_schema.NAME`.
    Block {
        kind: String,
        name: String,
    },
}

/// Why an expression has no value here.
pub(super) type Unknown = String;

/// The variables and locals of a file, and the environment that is read.
pub(super) struct Scope<'a> {
    body: &'a Body,
    text: &'a str,
    /// Input variables without a default, with the variables that stand for them.
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) environment: String,
}

/// Locals may refer to each other, and by mistake in a circle.
const DEPTH: usize = 20;

impl<'a> Scope<'a> {
    pub(super) fn new(body: &'a Body, text: &'a str) -> Self {
        Self { body, text, inputs: BTreeMap::new(), environment: String::new() }
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    ///
    /// It depends on more than variables.
    pub(super) fn value(&mut self, it: &Expression) -> Result<Value, Unknown> {
        self.value_at(it, 0)
    }

    /// The same, for a text.
    pub(super) fn text(&mut self, it: &Expression) -> Result<String, Unknown> {
        match self.value(it)? {
            Value::Text(it) => Ok(it),
            Value::Block { kind, .. } => Err(format!("`data.{kind}` is known only to Atlas")),
            _ => Err("it is not a text".to_owned()),
        }
    }

    /// The same, for a text or a list of texts.
    pub(super) fn texts(&mut self, it: &Expression) -> Result<Vec<String>, Unknown> {
        let text = |it: Value| match it {
            Value::Text(it) => Ok(it),
            _ => Err("it is not a list of texts".to_owned()),
        };
        match self.value(it)? {
            Value::List(all) => all.into_iter().map(text).collect(),
            one => Ok(vec![text(one)?]),
        }
    }

    fn value_at(&mut self, it: &Expression, depth: usize) -> Result<Value, Unknown> {
        if depth > DEPTH {
            return Err("its definition refers to itself".to_owned());
        }
        match it {
            Expression::String(it) => Ok(Value::Text(escaped(it))),
            Expression::Number(it) => Ok(Value::Text(it.to_string())),
            Expression::Bool(it) => Ok(Value::Text(it.to_string())),
            Expression::StringTemplate(it) => self.template(it, depth),
            Expression::HeredocTemplate(it) => self.template(&it.template, depth),
            Expression::Parenthesis(it) => self.value_at(it.inner(), depth + 1),
            Expression::Array(all) => {
                let values = all.iter().map(|it| self.value_at(it, depth + 1));
                Ok(Value::List(values.collect::<Result<_, _>>()?))
            }
            Expression::Object(it) => self.object(it, depth),
            Expression::FuncCall(it) => {
                let name = it.name.name.to_string();
                match (name.as_str(), it.args.iter().next()) {
                    ("getenv" | "env", Some(it)) => {
                        let Value::Text(name) = self.value_at(it, depth + 1)? else {
                            return Err("the name of a variable is unknown".to_owned());
                        };
                        Ok(Value::Text(format!("${{{name}}}")))
                    }
                    ("urlescape" | "trimspace" | "trim" | "tostring", Some(it)) => {
                        self.value_at(it, depth + 1)
                    }
                    _ => Err(format!("`{}` is a function of Atlas", name.trim())),
                }
            }
            Expression::ForExpr(it) => {
                let source = it.span().and_then(|it| self.text.get(it)).unwrap_or_default();
                match source.contains("file(") {
                    true => Ok(Value::Variables),
                    false => Err("it is computed".to_owned()),
                }
            }
            Expression::Traversal(it) => self.traversal(it, depth),
            Expression::Variable(it) => Ok(Value::Text(it.to_string().trim().to_owned())),
            Expression::Conditional(_) => Err("it is a condition".to_owned()),
            _ => Err("it is computed".to_owned()),
        }
    }

    fn template(&mut self, it: &Template, depth: usize) -> Result<Value, Unknown> {
        let mut text = String::new();
        for element in it {
            match element {
                Element::Literal(it) => text.push_str(&escaped(it)),
                Element::Interpolation(it) => match self.value_at(&it.expr, depth + 1)? {
                    Value::Text(it) => text.push_str(&it),
                    _ => return Err("a part of it is not a text".to_owned()),
                },
                Element::Directive(_) => return Err("it is computed".to_owned()),
            }
        }
        Ok(Value::Text(text))
    }

    fn object(&mut self, it: &hcl_edit::expr::Object, depth: usize) -> Result<Value, Unknown> {
        let mut object = BTreeMap::new();
        for (key, value) in it {
            let key = match key {
                ObjectKey::Ident(it) => it.to_string().trim().to_owned(),
                ObjectKey::Expression(it) => match self.value_at(it, depth + 1)? {
                    Value::Text(it) => it,
                    _ => return Err("a key of it is not a text".to_owned()),
                },
            };
            object.insert(key, self.value_at(value.expr(), depth + 1)?);
        }
        Ok(Value::Object(object))
    }

    fn traversal(&mut self, it: &Traversal, depth: usize) -> Result<Value, Unknown> {
        let root = match &it.expr {
            Expression::Variable(it) => it.to_string().trim().to_owned(),
            _ => return Err("it is computed".to_owned()),
        };
        let mut keys = Vec::new();
        for operator in &it.operators {
            keys.push(match operator.value() {
                TraversalOperator::GetAttr(it) => it.to_string().trim().to_owned(),
                TraversalOperator::Index(it) => match self.value_at(it, depth + 1)? {
                    Value::Text(it) => it,
                    _ => return Err("it is computed".to_owned()),
                },
                _ => return Err("it is computed".to_owned()),
            });
        }
        match (root.as_str(), keys.as_slice()) {
            ("var", [name, rest @ ..]) => inside(self.input(name, depth)?, rest),
            ("local", [name, rest @ ..]) => {
                let found = local(self.body, name).ok_or(format!("there is no `local.{name}`"))?;
                inside(self.value_at(found, depth + 1)?, rest)
            }
            ("data" | "docker", [kind, name, ..]) => {
                Ok(Value::Block { kind: kind.clone(), name: name.clone() })
            }
            ("atlas", [name]) if name == "env" => Ok(Value::Text(self.environment.clone())),
            _ => Err(format!("`{root}` is known only to Atlas")),
        }
    }

    /// An input variable: its default, else a variable of the environment.
    fn input(&mut self, name: &str, depth: usize) -> Result<Value, Unknown> {
        let block = self
            .body
            .get_blocks("variable")
            .find(|it| it.labels.first().is_some_and(|label| label.as_str() == name));
        let default = block.and_then(|it| it.body.get_attribute("default"));
        match default.map(|it| &it.value) {
            Some(it) if !it.is_null() && it.as_str() != Some("") => self.value_at(it, depth + 1),
            _ => {
                let variable = name.to_uppercase().replace('-', "_");
                self.inputs.insert(name.to_owned(), variable.clone());
                Ok(Value::Text(format!("${{{variable}}}")))
            }
        }
    }
}

/// A local of any block of them.
fn local<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    let mut blocks = body.get_blocks("locals");
    blocks.find_map(|it| it.body.get_attribute(name)).map(|it| &it.value)
}

/// What the keys of an access lead to.
fn inside(value: Value, keys: &[String]) -> Result<Value, Unknown> {
    let Some((key, rest)) = keys.split_first() else { return Ok(value) };
    match value {
        Value::Variables => Ok(Value::Text(format!("${{{key}}}"))),
        Value::Object(mut it) => {
            inside(it.remove(key).ok_or(format!("there is no `{key}` in it"))?, rest)
        }
        Value::List(it) => {
            let at: Option<usize> = key.parse().ok();
            let found = at.and_then(|at| it.into_iter().nth(at));
            inside(found.ok_or(format!("there is no `{key}` in it"))?, rest)
        }
        _ => Err("it is computed".to_owned()),
    }
}

/// A literal text: `upfront.toml` reads `${` as a variable.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
