pub(crate) fn run(_: &crate::Options, _: &mut crate::Page) -> crate::Result<()> {
    Ok(())
}
