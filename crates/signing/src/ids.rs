//! The identifiers of this crate's rows: typed, prefixed ULIDs.

kyso_store::typed_id!(PortalId, "ptl");
kyso_store::typed_id!(DeviceId, "dev");
kyso_store::typed_id!(CredentialId, "cred");
kyso_store::typed_id!(BindingId, "bnd");
kyso_store::typed_id!(RequestId, "req");
kyso_store::typed_id!(DeliveryId, "evt");
