//! The definition of the custom resource, as the file that users install.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::Pipeline;

/// First lines of the generated file.
const HEADER: &str = "\
# Generated from the types of specs: `cargo run -p drover-operator -- crd > deploy/crd/pipelines.yaml`; a test compares.
";

/// The definition of the `Pipeline` resource.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Pipeline::crd();
    definition.metadata.labels =
        Some([("app.kubernetes.io/part-of".to_owned(), "drover".to_owned())].into());
    definition
}

/// The definition as YAML. Fails if the definition cannot be serialised.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    Ok(HEADER.to_owned() + &serde_saphyr::to_string(definition)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_definition_is_the_generated_one() {
        let committed = include_str!("../../crd/pipelines.yaml");
        let generated = to_yaml(&definition()).unwrap();
        assert!(
            committed == generated,
            "deploy/crd/pipelines.yaml is not up to date; its first line says how to make it"
        );
    }
}
