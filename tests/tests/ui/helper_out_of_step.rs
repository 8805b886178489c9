fn main() {
    // What a newer `upfront-build` would write.
    upfront::__embedded_v2!("migrations", "");
}
