//! How maps and numbers are read, so that a wrong one is told what belongs there. Where nothing is
//! written (`spec:` and no more) the default holds, as on Kubernetes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::fields::{
    Access, Auth, Cluster, EngineField, External, Failover, Pods, Replication, Resources, Sentinel,
    Storage, Tls, Topology,
};
use super::{Metadata, Spec};

struct Map<T> {
    want: &'static str,
    what: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.want)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

fn map<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
    want: &'static str,
) -> Result<Option<T>, D::Error> {
    from.deserialize_any(Map { want, what: PhantomData })
}

macro_rules! optional {
    ($($name:ident: $kind:ty = $want:literal;)*) => {$(
        pub(super) fn $name<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<$kind>, D::Error> {
            map(from, $want)
        }
    )*};
}

macro_rules! defaulted {
    ($($name:ident: $kind:ty = $want:literal;)*) => {$(
        pub(super) fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$kind, D::Error> {
            map(from, $want).map(Option::unwrap_or_default)
        }
    )*};
}

optional! {
    engine: EngineField = "engine to be a map, such as { flavor: valkey, version: \"8.1\" }";
    topology: Topology = "topology to be a map, such as { replication: { replicas: 2 } }";
    replication: Replication = "replication to be a map, such as { replicas: 2 }";
    cluster: Cluster = "cluster to be a map, such as { shards: 3, replicas: 1 }";
    storage: Storage = "storage to be a map, such as { size: 10Gi }";
    tls: Tls = "tls to be a map, such as { secretName: cart-tls }";
    sentinel: Sentinel = "sentinel to be a map, such as { port: 26379 }";
    external: External = "external to be a map, such as { type: LoadBalancer }";
}

defaulted! {
    metadata: Metadata = "metadata to be a map, such as { name: cart }";
    spec: Spec = "spec to be a map, such as {}";
    failover: Failover = "failover to be a map, such as { profile: fast }";
    auth: Auth = "auth to be a map, such as { secretName: cart-auth }";
    access: Access = "access to be a map, such as { primary: true }";
    pods: Pods = "pods to be a map, such as { antiAffinity: required }";
    resources: Resources = "resources to be a map, such as { limits: { memory: 2Gi } }";
}

struct Whole(&'static str);

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to be a whole number", self.0)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        // Beyond every bound in either case, and then refused with the bound.
        Ok(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

macro_rules! whole {
    ($($name:ident = $field:literal;)*) => {$(
        pub(super) fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
            from.deserialize_any(Whole($field))
        }
    )*};
}

whole! {
    replicas = "replicas";
    budget = "budget";
    port = "port";
}

pub(super) fn shards<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_any(Whole("shards")).map(Some)
}

pub(super) fn nodes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_any(Whole("nodes")).map(Some)
}

pub(super) fn copies<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_any(Whole("copies")).map(Some)
}
