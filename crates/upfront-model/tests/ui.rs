//! Each mistake is an error of the compiler, one, and where it stands.

#[test]
fn points_at_each_mistake() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
