//! Writing: what an API server does between a request and the store. Decode, prune, default, record who wrote what,
//! ask the mutating webhook, validate, ask the validating webhook, store.

use super::{
    error::ApiError,
    managed::{self, Applied, Writer},
    meta::{
        self, check_versions, check_versions_of_apply, differs_beside_metadata, keep_system_fields, place, restore,
        text,
    },
    registry::Resource,
    store::{Locked, Store},
};
use crate::{
    admission::{self, Operation},
    faults::Faults,
    kinds::schema,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What to do with fields that the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// How a write is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteOptions {
    /// Name of the field manager.
    pub manager: String,
    /// Judge, but do not store.
    pub dry_run: bool,
    pub field_validation: FieldValidation,
    /// `status`, or nothing.
    pub subresource: Option<&'static str>,
    /// The change came as a patch; some mistakes are worded after that.
    pub patch: bool,
}

/// What came of a write.
#[derive(Debug)]
pub(crate) struct Written {
    pub object: Arc<Value>,
    pub warnings: Vec<String>,
    pub created: bool,
    /// Whether anything is other than before: a dry run changes nothing, nor does an update to what is there.
    pub stored: bool,
}

/// Preconditions of a deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preconditions {
    pub uid: Option<String>,
    pub version: Option<String>,
}

/// Writes to the store of one lab.
#[derive(Clone, Copy)]
pub(crate) struct Writes<'a> {
    pub store: &'a Store,
    pub faults: &'a Faults,
}

/// The time as Kubernetes writes it.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// An answer of the step that makes the new object from the one that is there.
pub(crate) type Change<'a> = dyn FnMut(&Value) -> Result<Value, ApiError> + 'a;

impl Writes<'_> {
    /// Prunes and defaults what came from outside. Unknown fields are an error, a warning, or nothing.
    fn decode(
        self,
        resource: &Resource,
        object: &mut Value,
        WriteOptions { field_validation, patch, .. }: &WriteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let (validation, patch) = (*field_validation, *patch);
        let wrong = |why: &str| {
            let (kind, version) = (&resource.kind, &resource.version);
            ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
        };
        if !object.is_object() {
            return Err(wrong("the body is not an object"));
        }
        if object["apiVersion"] != resource.api_version().as_str() {
            return Err(ApiError::bad_request(format!(
                "the API version in the data ({}) does not match the expected API version ({})",
                object["apiVersion"].as_str().unwrap_or_default(),
                resource.api_version()
            )));
        }
        // Another kind is taken for a slip of the pen, as by a real API server.
        object["kind"] = json!(resource.kind);
        if let Some(why) = meta::undecodable(object) {
            return Err(wrong(&why));
        }
        let mut unknown = meta::prune(object);
        if let Some(schema) = &resource.schema {
            unknown.extend(schema::prune(object, schema));
            schema::fill_defaults(object, schema);
        }
        let words = unknown.iter().map(|field| format!("unknown field \"{field}\""));
        match validation {
            FieldValidation::Strict if !unknown.is_empty() => {
                let all: Vec<String> = words.collect();
                let why = format!("strict decoding error: {}", all.join(", "));
                Err(if patch { ApiError::invalid_patch(object, &why) } else { wrong(&why) })
            }
            FieldValidation::Warn => {
                warnings.extend(words);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn mutate(self, resource: &Resource, object: &mut Value, locked: &Locked) -> Result<(), ApiError> {
        if admission::has_webhooks(&resource.group, &resource.kind) {
            if self.faults.webhook_down() {
                return Err(ApiError::webhook_down(&admission::webhook_name(true, &resource.kind)));
            }
            *object = admission::default(object, locked);
        }
        Ok(())
    }

    fn judge(
        self,
        operation: Operation,
        resource: &Resource,
        old: Option<&Value>,
        new: Option<&Value>,
        locked: &Locked,
    ) -> Result<Vec<String>, ApiError> {
        if !admission::has_webhooks(&resource.group, &resource.kind) {
            return Ok(Vec::new());
        }
        let webhook = admission::webhook_name(false, &resource.kind);
        if self.faults.webhook_down() {
            return Err(ApiError::webhook_down(&webhook));
        }
        let name = new.or(old).map_or("", |o| text(o, "name"));
        if let Some(message) = self.faults.rejects(&resource.kind, name) {
            return Err(ApiError::refused(&admission::Refusal { webhook, message }));
        }
        admission::validate(operation, old, new, locked).map_err(|refusal| ApiError::refused(&refusal))
    }

    /// Names, labels and schema.
    fn validate(self, resource: &Resource, object: &Value) -> Result<(), ApiError> {
        let mut causes = meta::validate(object);
        if let Some(schema) = &resource.schema {
            causes.extend(schema::validate(object, schema));
        }
        if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(resource, text(object, "name"), &causes)) }
    }

    /// A new object.
    pub fn create(
        self,
        resource: &Resource,
        namespace: &str,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let mut warnings = Vec::new();
        self.decode(resource, &mut object, options, &mut warnings)?;
        if !text(&object, "resourceVersion").is_empty() {
            return Err(ApiError::plain("resourceVersion should not be set on objects to be created"));
        }
        place(resource, namespace, &mut object)?;
        if text(&object, "name").is_empty() && !text(&object, "generateName").is_empty() {
            let id = uuid::Uuid::new_v4().simple().to_string();
            object["metadata"]["name"] = format!("{}{}", text(&object, "generateName"), &id[..5]).into();
        }
        let mut locked = self.store.lock();
        if resource.namespaced {
            let namespaces = self.store.registry.find("", "v1", "namespaces");
            if let Some(namespaces) = namespaces.filter(|n| locked.get(n, "", namespace).is_none()) {
                return Err(ApiError::not_found(namespaces, namespace));
            }
        }
        self.create_locked(&mut locked, resource, object, options, warnings)
    }

    fn create_locked(
        self,
        locked: &mut Locked,
        resource: &Resource,
        mut object: Value,
        options: &WriteOptions,
        mut warnings: Vec<String>,
    ) -> Result<Written, ApiError> {
        let time = now();
        let managed = object["metadata"].get("managedFields").cloned();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("managedFields");
            metadata.shift_remove("deletionTimestamp");
            metadata.shift_remove("selfLink");
            metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
            metadata.insert("creationTimestamp".to_owned(), json!(time));
            metadata.insert("generation".to_owned(), json!(1));
        }
        if resource.status
            && let Some(fields) = object.as_object_mut()
        {
            fields.shift_remove("status");
        }
        match managed {
            // Set by server-side apply, which has worked it out already.
            Some(managed) if options.subresource == Some("apply") => object["metadata"]["managedFields"] = managed,
            _ => {
                let writer = Writer { manager: &options.manager, apply: false, subresource: None, time: &time };
                managed::after_update(None, &mut object, resource.schema.as_ref(), &writer);
            }
        }
        self.mutate(resource, &mut object, locked)?;
        self.validate(resource, &object)?;
        let name = text(&object, "name").to_owned();
        if locked.get(resource, text(&object, "namespace"), &name).is_some() {
            return Err(ApiError::already_exists(resource, &name));
        }
        warnings.extend(self.judge(Operation::Create, resource, None, Some(&object), locked)?);
        let object = if options.dry_run { Arc::new(object) } else { locked.put(resource, object) };
        Ok(Written { object, warnings, created: true, stored: !options.dry_run })
    }

    /// A change of an object that exists: `change` makes the new object from the one that is there.
    pub fn update(
        self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        change: &mut Change,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let mut locked = self.store.lock();
        let old = locked.get(resource, namespace, name).ok_or_else(|| ApiError::not_found(resource, name))?;
        let mut new = change(&old)?;
        let mut warnings = Vec::new();
        self.decode(resource, &mut new, options, &mut warnings)?;
        place(resource, namespace, &mut new)?;
        if text(&new, "name") != name {
            let message =
                format!("the name of the object ({}) does not match the name on the URL ({name})", text(&new, "name"));
            return Err(ApiError::bad_request(message));
        }
        check_versions(resource, &old, &new)?;
        keep_system_fields(resource, &old, &mut new, options.subresource);

        let time = now();
        let writer = Writer { manager: &options.manager, apply: false, subresource: options.subresource, time: &time };
        managed::after_update(Some(&old), &mut new, resource.schema.as_ref(), &writer);
        self.finish_update(&mut locked, resource, &old, new, options, warnings)
    }

    fn finish_update(
        self,
        locked: &mut Locked,
        resource: &Resource,
        old: &Arc<Value>,
        mut new: Value,
        options: &WriteOptions,
        mut warnings: Vec<String>,
    ) -> Result<Written, ApiError> {
        if options.subresource.is_none() {
            self.mutate(resource, &mut new, locked)?;
        }
        self.validate(resource, &new)?;
        if options.subresource.is_none() {
            warnings.extend(self.judge(Operation::Update, resource, Some(old), Some(&new), locked)?);
        }
        if options.subresource.is_none() && differs_beside_metadata(old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        // An equal object is not written: its version stays.
        if managed::equal_but_for_times(old, &new) {
            return Ok(Written { object: old.clone(), warnings, created: false, stored: false });
        }
        let finalizers = new["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        let deleting = new["metadata"].get("deletionTimestamp").is_some();
        let object = if options.dry_run {
            Arc::new(new)
        } else if deleting && !finalizers {
            let stored = locked.put(resource, new);
            locked.remove(resource, &stored).unwrap_or(stored)
        } else {
            locked.put(resource, new)
        };
        Ok(Written { object, warnings, created: false, stored: !options.dry_run })
    }

    /// Server-side apply: creates the object, or merges the configuration into the one that is there.
    pub fn apply(
        self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        mut config: Value,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let mut warnings = Vec::new();
        self.type_check(resource, &config, name)?;
        self.decode(resource, &mut config, options, &mut warnings)?;
        place(resource, namespace, &mut config)?;
        if config["metadata"].get("managedFields").is_some() {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        if let Some(metadata) = config["metadata"].as_object_mut() {
            metadata.entry("name").or_insert_with(|| json!(name));
        }
        if text(&config, "name") != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object does not match the name on the URL ({name})"
            )));
        }
        let mut locked = self.store.lock();
        let old = locked.get(resource, namespace, name);
        let time = now();
        let writer = Writer { manager: &options.manager, apply: true, subresource: None, time: &time };
        if let Some(old) = &old {
            check_versions_of_apply(resource, old, &config)?;
        }
        let merged = match managed::apply(old.as_deref(), &config, resource.schema.as_ref(), &writer, force) {
            Applied::Conflicts(conflicts) => return Err(ApiError::apply_conflict(&conflicts)),
            Applied::Merged(merged) => merged,
        };
        match old {
            None => {
                let options = WriteOptions { subresource: Some("apply"), ..options.clone() };
                self.create_locked(&mut locked, resource, merged, &options, warnings)
            }
            Some(old) => {
                let mut merged = merged;
                if resource.status {
                    restore(&mut merged, &old, "status");
                }
                self.finish_update(&mut locked, resource, &old, merged, options, warnings)
            }
        }
    }

    /// Server-side apply needs a typed configuration, and says so before anything else.
    fn type_check(self, resource: &Resource, config: &Value, name: &str) -> Result<(), ApiError> {
        let Some(schema) = &resource.schema else { return Ok(()) };
        let wrong = schema::validate(config, schema).into_iter().find(|c| c.reason == "FieldValueTypeInvalid");
        let (field, why) = match (wrong, schema::prune(&mut config.clone(), schema).into_iter().next()) {
            (Some(cause), _) => (cause.field, cause.message),
            (None, Some(field)) => (field, "field not declared in schema".to_owned()),
            (None, None) => return Ok(()),
        };
        Err(ApiError::plain(format!(
            "failed to create typed patch object ({}/{name}; {}, Kind={}): .{field}: {why}",
            text(config, "namespace"),
            resource.api_version(),
            resource.kind,
        )))
    }

    /// Removes an object, or marks it when finalizers stand against it.
    pub fn delete(
        self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        preconditions: &Preconditions,
        dry_run: bool,
    ) -> Result<Written, ApiError> {
        let mut locked = self.store.lock();
        let old = locked.get(resource, namespace, name).ok_or_else(|| ApiError::not_found(resource, name))?;
        for (what, wanted, found) in [
            ("UID", &preconditions.uid, text(&old, "uid")),
            ("ResourceVersion", &preconditions.version, text(&old, "resourceVersion")),
        ] {
            if let Some(wanted) = wanted.as_deref().filter(|w| *w != found) {
                let why = format!(
                    "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). \
                     The object might have been deleted and then recreated"
                );
                return Err(ApiError::conflict(resource, name, &why));
            }
        }
        let warnings = self.judge(Operation::Delete, resource, Some(&old), None, &locked)?;
        let finalizers = old["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        let object = if dry_run {
            old
        } else if finalizers {
            let mut marked = (*old).clone();
            if marked["metadata"].get("deletionTimestamp").is_none() {
                marked["metadata"]["deletionTimestamp"] = json!(now());
                marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
                marked["metadata"]["generation"] = json!(generation + 1);
                locked.put(resource, marked)
            } else {
                old
            }
        } else {
            locked.remove(resource, &old).unwrap_or(old)
        };
        Ok(Written { object, warnings, created: false, stored: !dry_run })
    }
}

/// Puts an object there without asking anybody, as far as its schema knows it: what is there before the first request.
pub(crate) fn seed(store: &Store, mut object: Value, manager: &str) {
    let Some(resource) = store.registry.of_object(&object).cloned() else { return };
    if let Some(schema) = &resource.schema {
        schema::prune(&mut object, schema);
    }
    let time = now();
    let metadata = &mut object["metadata"];
    if metadata.get("uid").is_none() {
        metadata["uid"] = json!(uuid::Uuid::new_v4().to_string());
    }
    metadata["creationTimestamp"] = json!(time);
    metadata["generation"] = json!(1);
    let writer = Writer { manager, apply: false, subresource: None, time: &time };
    managed::after_update(None, &mut object, resource.schema.as_ref(), &writer);
    store.lock().put(&resource, object);
}
