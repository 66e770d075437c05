//! The pod's volumes, and where its containers have them.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, ProjectedVolumeSource,
    SecretProjection, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::names;
use crate::objects::frame::Frame;
use crate::objects::secret;

/// Readable by the owner and by the group, which is that of the pod: nobody else reads a secret.
const AUTH_MODE: i32 = 0o440;
/// A socket, a configuration and the gate are less than one of them; it counts as the pod's memory.
const RUN_SIZE: &str = "16Mi";

pub(super) fn volumes(frame: &Frame<'_>) -> Vec<Volume> {
    let mut volumes = vec![
        empty(names::PROGRAM_VOLUME, EmptyDirVolumeSource::default()),
        empty(
            names::RUN_VOLUME,
            EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: Some(Quantity(RUN_SIZE.to_owned())),
            },
        ),
        Volume {
            name: names::SPEC_VOLUME.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: frame.names.group.clone(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: names::AUTH_VOLUME.to_owned(),
            projected: Some(ProjectedVolumeSource {
                default_mode: Some(AUTH_MODE),
                sources: Some(secrets(frame)),
            }),
            ..Volume::default()
        },
    ];
    if frame.storage().is_none() {
        volumes.push(empty(names::DATA_VOLUME, EmptyDirVolumeSource::default()));
    }
    volumes
}

/// The peers' key is always in the group's own Secret, the password may be in another.
fn secrets(frame: &Frame<'_>) -> Vec<VolumeProjection> {
    let own = frame.names.auth();
    let password = secret::password_secret(frame.spec);
    if password == own {
        return vec![keys(own, &[names::PASSWORD_KEY, names::PEER_KEY])];
    }
    vec![keys(password, &[names::PASSWORD_KEY]), keys(own, &[names::PEER_KEY])]
}

/// A pod does not start before these keys are there, and its events name the one that is not.
fn keys(secret: String, keys: &[&str]) -> VolumeProjection {
    let item =
        |key: &&str| KeyToPath { key: (*key).to_owned(), path: (*key).to_owned(), mode: None };
    VolumeProjection {
        secret: Some(SecretProjection {
            name: secret,
            items: Some(keys.iter().map(item).collect()),
            optional: None,
        }),
        ..VolumeProjection::default()
    }
}

fn empty(name: &str, empty_dir: EmptyDirVolumeSource) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(empty_dir), ..Volume::default() }
}

pub(super) fn of_program() -> Vec<VolumeMount> {
    vec![mount(names::PROGRAM_VOLUME, names::PROGRAM_DIRECTORY)]
}

pub(super) fn of_engine() -> Vec<VolumeMount> {
    let read = |name, path| VolumeMount { read_only: Some(true), ..mount(name, path) };
    vec![
        mount(names::DATA_VOLUME, names::DATA_PATH),
        mount(names::RUN_VOLUME, names::RUN_PATH),
        read(names::PROGRAM_VOLUME, names::PROGRAM_DIRECTORY),
        read(names::SPEC_VOLUME, names::SPEC_PATH),
        read(names::AUTH_VOLUME, names::AUTH_PATH),
    ]
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}
