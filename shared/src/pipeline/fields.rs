//! Fields of the reference that Drover does not use: ignored with a note, or refused by name.

/// A field of the reference that Drover does not use.
pub(in crate::pipeline) struct UnsupportedField {
    /// The object of the field, as named in the schema.
    pub(in crate::pipeline) object: &'static str,
    /// The field.
    pub(in crate::pipeline) name: &'static str,
    /// The support level of the field.
    pub(in crate::pipeline) support: Support,
}

/// Support level of a field of the reference; the texts continue "`field` is not used: …" and
/// "`field` is refused: …".
#[derive(Clone, Copy)]
pub(in crate::pipeline) enum Support {
    /// Any value is ignored with a note.
    Unused(&'static str),
    /// The value is ignored with a note; all other values are refused.
    Only(&'static str, &'static str),
    /// Refused: the reason and the advice.
    Refused(&'static str, &'static str),
}

use Support::{Only, Refused, Unused};

const fn field(object: &'static str, name: &'static str, support: Support) -> UnsupportedField {
    UnsupportedField {
        object,
        name,
        support,
    }
}

const NO_BRANCHES: &str =
    "Drover keeps no versions of files, so there are no branches but `master`";
const NO_VERSIONS: &str =
    "Drover keeps no versions of files; a job reads what is there when it starts";
const NO_PROJECTS: &str = "there are no projects; a store is a namespace of its own";
const NO_SIDECAR: &str = "worker pods have no storage sidecar";
const NO_S3_GATEWAY: &str =
    "Drover runs no S3 gateway; read inputs below `/pfs` and write output to `/pfs/out`";
const NO_BUILDS: &str = "Drover builds no images";
const NOT_A_MANIFEST: &str = "this looks like a Kubernetes resource";

const DELETE: &str = "delete it";
const UNWRAP: &str = "write only the pipeline spec, the object in the field `spec`";
const NAME_IMAGE: &str = "delete it; build and push the image, and name it in `image`";

/// The table, in the order of the reference.
pub(in crate::pipeline) const UNSUPPORTED_FIELDS: &[UnsupportedField] = &[
    field("Identity", "project", Unused(NO_PROJECTS)),
    field(
        "Pipeline",
        "hashtree_spec",
        Unused("output is merged without shards"),
    ),
    field("Pipeline", "sidecar_resource_limits", Unused(NO_SIDECAR)),
    field("Pipeline", "sidecar_resource_requests", Unused(NO_SIDECAR)),
    field("Pipeline", "output_branch", Only("master", NO_BRANCHES)),
    field("Pipeline", "s3_out", Only("false", NO_S3_GATEWAY)),
    field(
        "Pipeline",
        "salt",
        Unused("changed code runs again by itself; `drover run --reprocess` runs everything again"),
    ),
    field(
        "Pipeline",
        "cache_size",
        Unused("there is no cache to size"),
    ),
    field(
        "Pipeline",
        "enable_stats",
        Unused("timings and logs of every datum are always kept"),
    ),
    field(
        "Pipeline",
        "maximum_expected_uptime",
        Unused("`job_timeout` ends a job that takes too long"),
    ),
    field(
        "Pipeline",
        "service",
        Refused(
            "a pipeline ends when its datums are done",
            "delete it, and run the server as a Deployment of its own",
        ),
    ),
    field(
        "Pipeline",
        "spout",
        Refused(
            "a pipeline reads inputs and ends",
            "delete it, write incoming data to a repo, and read that repo with `input`",
        ),
    ),
    field(
        "Pipeline",
        "determined",
        Refused("there is no integration with Determined", DELETE),
    ),
    field(
        "Pipeline",
        "tf_job",
        Refused("there is no integration with Kubeflow", DELETE),
    ),
    field("Pipeline", "spec_commit", Refused(NO_VERSIONS, DELETE)),
    field(
        "Pipeline",
        "update",
        Unused("a pipeline is always replaced by its newer spec"),
    ),
    field(
        "Pipeline",
        "reprocess",
        Only(
            "false",
            "use `drover run --reprocess` for once, `reprocess_spec: every_job` for always",
        ),
    ),
    field(
        "Pipeline",
        "dry_run",
        Only("false", "`drover plan` shows the datums of a spec"),
    ),
    field(
        "Pipeline",
        "scale_down_threshold",
        Unused("`standby_after` removes the pods of an idle pipeline"),
    ),
    field("Pipeline", "apiVersion", Refused(NOT_A_MANIFEST, UNWRAP)),
    field("Pipeline", "kind", Refused(NOT_A_MANIFEST, UNWRAP)),
    field("Pipeline", "spec", Refused(NOT_A_MANIFEST, UNWRAP)),
    field(
        "Transform",
        "debug",
        Unused("the log level is set by `DROVER_LOG`"),
    ),
    field("Transform", "dockerfile", Refused(NO_BUILDS, NAME_IMAGE)),
    field("Transform", "build", Refused(NO_BUILDS, NAME_IMAGE)),
    field(
        "Input",
        "git",
        Refused(
            "there is no hook for GitHub",
            "write `pfs` instead, and push or sync the files into that repo",
        ),
    ),
    field("Pfs", "project", Unused(NO_PROJECTS)),
    field(
        "Pfs",
        "repo_type",
        Only("user", "there are only user repos"),
    ),
    field("Pfs", "branch", Only("master", NO_BRANCHES)),
    field("Pfs", "from_commit", Refused(NO_VERSIONS, DELETE)),
    field("Pfs", "commit", Refused(NO_VERSIONS, DELETE)),
    field("Pfs", "s3", Only("false", NO_S3_GATEWAY)),
    field(
        "Pfs",
        "trigger",
        Refused(
            "there are no commits to count; a job starts on request or when files change",
            DELETE,
        ),
    ),
    field("Cron", "project", Unused(NO_PROJECTS)),
    field(
        "Egress",
        "sql_database",
        Refused(
            "output is copied to buckets and folders only",
            "write `URL` instead, and load the output into the database by a command",
        ),
    ),
];

/// The objects of the schema and their places in a spec, the most usual first.
pub(in crate::pipeline) const OBJECTS: [(&str, &str); 19] = [
    ("Pipeline", "the top level"),
    ("Identity", "`pipeline`"),
    ("Metadata", "`metadata`"),
    ("Transform", "`transform`"),
    ("Secret", "`transform.secrets`"),
    ("Input", "`input`"),
    ("Pfs", "`input.pfs`"),
    ("Cron", "`input.cron`"),
    ("Parallelism", "`parallelism_spec`"),
    ("DatumSet", "`datum_set_spec`"),
    ("Limit", "`limits`"),
    ("Retention", "`retention`"),
    ("Egress", "`egress`"),
    ("ObjectStorage", "`egress.object_storage`"),
    ("Notification", "`notify`"),
    ("Resources", "`resource_limits`"),
    ("Gpu", "`resource_limits.gpu`"),
    ("Scheduling", "`scheduling_spec`"),
    ("Toleration", "`tolerations`"),
];

/// The row for a field, spelled in `snake_case` or in camelCase.
pub(super) fn find(
    object: &str,
    names: impl Fn(&str) -> bool,
) -> Option<&'static UnsupportedField> {
    UNSUPPORTED_FIELDS
        .iter()
        .find(|field| field.object == object && names(field.name))
}
