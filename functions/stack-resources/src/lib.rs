//! stack-resources: CloudFormation custom resources.
//!
//! The frame (`watchkeeper-custom-resources`) takes requests and answers them; here are the types that it serves, one
//! module each. [`plan`] decides.

mod bucket_object;
mod error;
mod objects;
mod place;
pub mod plan;
mod settings;

use aws_config::SdkConfig;
use watchkeeper_custom_resources::{Frame, Https, Table};

pub use bucket_object::BucketObject;
pub use objects::Objects;
pub use place::Place;
pub use settings::{BadSetting, Settings};

/// The function: all clients from one configuration.
#[must_use]
pub fn frame(config: &SdkConfig, settings: &Settings) -> Frame<Table, Https> {
    let table = Table::new(aws_sdk_dynamodb::Client::new(config), &settings.table, "stack-resources");
    // The local AWS has its buckets in paths, and a bucket's name with dots fits no certificate as a host.
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let objects = Objects::new(aws_sdk_s3::Client::from_conf(s3));
    Frame::new(table, Https::default(), settings.urls.clone())
        .in_mode(settings.mode)
        .serving(BucketObject::new(objects))
}
