fn main() {
    let _ = upfront::embedded!("billing");
}
