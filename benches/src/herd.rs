pub(crate) async fn run(
    _: &crate::Stage,
    _: &crate::Options,
    _: &mut crate::Page,
) -> crate::Result<()> {
    Ok(())
}
