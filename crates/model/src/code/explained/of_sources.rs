//! Codes of the fabric's source: the Git repository and the manifests in it.

use super::Explained;

pub(super) const UNREACHABLE: Explained = Explained {
    title: "The source cannot be reached",
    happened: "Git could not connect to the server of the repository.",
    causes: &[
        "The address is wrong, or its name has no address.",
        "The Git server is down, or a firewall is between.",
        "The server's certificate or SSH host key is not trusted.",
    ],
    seen: "A sync ends before anything is written. A comparison goes on with the commit that was fetched last, and says \
           so.",
    steps: &["Check the repository's address in Settings.", "From the console's machine, try `git ls-remote ADDRESS`."],
};

pub(super) const UNAUTHORIZED: Explained = Explained {
    title: "The source refused the credentials",
    happened: "The Git server asked who is there and did not accept the answer.",
    causes: &[
        "The token has expired or was revoked.",
        "The token may not read this repository.",
        "The SSH key is not registered there.",
    ],
    seen: "A sync ends before anything is written, and is not repeated by itself.",
    steps: &["Enter new credentials for the repository in Settings.", "Press Sync from Git."],
};

pub(super) const NOT_FOUND: Explained = Explained {
    title: "The repository does not exist",
    happened: "The Git server says that there is no such repository.",
    causes: &[
        "The repository was renamed, moved or deleted.",
        "The credentials may not see it; many servers answer so for private repositories.",
    ],
    seen: "A sync ends before anything is written.",
    steps: &["Check the address in Settings, and what the credentials may see."],
};

pub(super) const REF_NOT_FOUND: Explained = Explained {
    title: "The branch or the path does not exist",
    happened: "The repository is there, but has no such branch, or no such folder in it.",
    causes: &[
        "The branch was renamed or deleted, for example master to main.",
        "The path was mistyped, or the folder was moved.",
        "The repository is empty.",
    ],
    seen: "A sync ends before anything is written: a missing folder is never taken for an empty desired state.",
    steps: &["Check branch and path in Settings, then press Sync from Git."],
};

pub(super) const CONFIG_INVALID: Explained = Explained {
    title: "The source cannot be used",
    happened: "The address of the source is of a kind that is not allowed, or its settings make no sense.",
    causes: &[
        "The address is neither https nor ssh.",
        "A file:// address is used while the setting source.allow_file is off.",
        "The SSH key cannot be read, or has a passphrase.",
        "The stored credentials cannot be opened with the console's key.",
    ],
    seen: "The form names the field; an operation names the reason.",
    steps: &["Correct the source in Settings."],
};

pub(super) const TIMEOUT: Explained = Explained {
    title: "Git did not answer in time",
    happened: "The fetch took longer than the setting source.fetch_timeout allows, or another run holds the repository.",
    causes: &[
        "The Git server hangs or is very slow.",
        "The repository is large and is fetched for the first time.",
        "Packets vanish on the way.",
    ],
    seen: "A sync ends before anything is written. A comparison goes on with the commit that was fetched last.",
    steps: &["Check the Git server, then press Sync from Git.", "For a large repository, raise source.fetch_timeout."],
};

pub(super) const TOO_LARGE: Explained = Explained {
    title: "The source is larger than allowed",
    happened: "The repository, a file in it, or the number of its objects is beyond a limit.",
    causes: &[
        "The path is the root of a repository that holds other things, too.",
        "A large file lies among the manifests.",
    ],
    seen: "Which limit it was, and how large the source is.",
    steps: &[
        "Set the path to the folder that holds the manifests.",
        "Or raise source.max_files, source.max_objects or source.max_file_size.",
    ],
};

pub(super) const INVALID: Explained = Explained {
    title: "Manifests in the source have errors",
    happened: "Files of the source could not be read as Kubernetes objects, so the objects in them are not known.",
    causes: &[
        "The YAML is broken: a tab, a wrong indentation, a key that stands twice.",
        "apiVersion, kind or metadata.name is missing.",
        "The same object stands in two files.",
    ],
    seen: "Each error with its file, line and column. Objects of other files are still compared and written.",
    steps: &["Correct the files that are named and commit.", "Press Sync from Git."],
};

pub(super) const PUSH_REFUSED: Explained = Explained {
    title: "The remote does not take the push",
    happened: "Objects of the cluster were to be committed to the source, and the remote refused the push to its branch.",
    causes: &[
        "The branch is protected: commits come there by a merge only.",
        "The source's token or key may read, but not write.",
        "A hook of the server refused the commit; its words stand in the message.",
    ],
    seen: "Nothing changed in the branch. Where the remote took another branch instead, that branch is named.",
    steps: &[
        "If a branch is named, merge it into the fabric's branch, then press Sync from Git.",
        "Otherwise enter credentials in Settings that may push, or let this account push; then adopt again.",
    ],
};

pub(super) const MOVED: Explained = Explained {
    title: "Others commit at the same time",
    happened: "The remote's branch moved between reading and pushing, more often than it was tried again.",
    causes: &["Somebody, or another program, commits to the same branch without a pause."],
    seen: "Nothing was pushed and nothing of others was overwritten.",
    steps: &["Try again when the others are done."],
};

pub(super) const NOT_ADOPTABLE: Explained = Explained {
    title: "The object is not kept in Git",
    happened: "An object was chosen for adopting that people do not author, or that is not extra any more.",
    causes: &[
        "Hedgehog's controller makes and owns objects of this kind.",
        "It was deleted in the cluster, or committed by somebody else, since the page was shown.",
    ],
    seen: "The reason beside the object. The other objects were adopted.",
    steps: &["Leave it out of the choice."],
};
