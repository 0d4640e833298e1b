//! The AWS that the functions are measured against.

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    bench::aws::serve().await
}
