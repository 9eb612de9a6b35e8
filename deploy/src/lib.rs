//! Keeps the right number of Drover workers alive on Kubernetes.
//!
//! Empty as yet: the operator comes after the service. The package holds its place, and the rule that only it may know
//! Kubernetes.
