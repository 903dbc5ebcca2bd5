//! Codes of the fabric's cluster: its connection, its credentials, and what Kubernetes answers.

use super::Explained;

pub(super) const CONNECTION_FAILED: Explained = Explained {
    title: "The cluster cannot be reached",
    happened: "No connection to the fabric's API server came about, or what answered is no Kubernetes API.",
    causes: &[
        "The server's name has no address, or the address and port are wrong.",
        "A firewall or a route is missing between the console and the cluster.",
        "The server's certificate is not signed by the CA that was entered, has expired, or has another name.",
        "The API server is down.",
    ],
    seen: "The operation ends with this code before anything was written. The message says which of them it was: name, \
           connection, TLS or answer. The fabric's last success stays what it was.",
    steps: &[
        "Press Test Connection: it says how far the connection comes.",
        "Check the endpoint and the CA in Settings.",
        "From the console's machine, try `curl -k https://HOST:PORT/version`.",
    ],
};

pub(super) const UNAUTHORIZED: Explained = Explained {
    title: "The cluster refused the credentials",
    happened: "The API server answered 401: it does not know who Hedgerow is.",
    causes: &[
        "The token was revoked, has expired, or its ServiceAccount was deleted.",
        "The client certificate has expired or is signed by another CA.",
        "The token is of another cluster.",
    ],
    seen: "The operation ends with this code and is not repeated: nobody gets in by trying again. What had been written \
           until then is listed object by object.",
    steps: &["Enter a new token or certificate in Settings.", "Press Test Connection, then sync again."],
};

pub(super) const FORBIDDEN: Explained = Explained {
    title: "The cluster's RBAC forbids it",
    happened: "The API server answered 403: the account is known, but lacks a right that was needed.",
    causes: &[
        "The ServiceAccount was created from an older manifest than this release of Hedgehog needs.",
        "Only the reading half of the manifest was applied, and the sync wants to write.",
        "The namespace is another one than the Role is in.",
    ],
    seen: "The kind and the verb that are missing are named. Other kinds are still read; a kind that could not be read \
           is never counted as having no objects.",
    steps: &[
        "Apply the manifest of the ServiceAccount that the fabric's settings page shows; it is also in \
         deploy/rbac/fabric.yaml.",
        "Press Test Connection: it lists every right that is missing.",
    ],
};

pub(super) const UNAVAILABLE: Explained = Explained {
    title: "The cluster broke off",
    happened: "The API server answered with a server error, or the connection broke while it answered.",
    causes: &[
        "The API server is restarting or lost its etcd.",
        "It is overloaded and sheds requests (429), also after the pauses that it asked for.",
        "A load balancer in front of it has no server behind it.",
        "An aggregated API of the cluster is broken.",
    ],
    seen: "Reads were repeated several times before. A write whose answer was lost is looked at again, not guessed. \
           The objects that are left are listed as not attempted.",
    steps: &[
        "Wait until the API server answers: `kubectl get --raw /readyz`.",
        "Sync again. The run begins by looking at the cluster.",
    ],
};

pub(super) const TIMEOUT: Explained = Explained {
    title: "The cluster did not answer in time",
    happened: "A call took longer than the setting cluster.timeout allows.",
    causes: &[
        "The API server or its etcd is overloaded.",
        "Packets vanish between the console and the cluster.",
        "A webhook of the cluster hangs, and the API server waits for it.",
    ],
    seen: "The operation names the call that hung. Other fabrics are not held up.",
    steps: &[
        "Check the load of the API server and its webhooks.",
        "Sync again. If the cluster is just slow, raise cluster.timeout.",
    ],
};

pub(super) const CONFLICT: Explained = Explained {
    title: "Somebody else changed the object",
    happened: "Between the comparison and the write the object was changed or created by somebody else.",
    causes: &[
        "A person works with kubectl at the same time.",
        "A controller or another tool (Argo CD, Flux) writes the same objects.",
    ],
    seen: "The object was looked at again a few times and then left as it is. The page shows what changed and by which \
           field manager. Nothing was overwritten unseen.",
    steps: &[
        "Look at the differences, then sync again to overwrite them, or take them over into Git.",
        "If it comes again and again, find the other writer by the field manager that is named.",
    ],
};

pub(super) const REJECTED: Explained = Explained {
    title: "The cluster refused the object",
    happened: "The API server or one of Hedgehog's webhooks did not accept the object as it stands in the source.",
    causes: &[
        "A field has a value that the schema or the webhook does not allow.",
        "Something that the object refers to does not exist.",
        "A field that cannot be changed after creation was changed.",
        "The object is still in use, so that it cannot be deleted.",
    ],
    seen: "The object, the webhook and its own words. The other objects were still written; those that depend on this \
           one are listed as not attempted.",
    steps: &["Correct the object in the file and line that the page names.", "Commit, then sync again."],
};

pub(super) const WEBHOOK_DOWN: Explained = Explained {
    title: "A webhook of the cluster cannot be called",
    happened: "The API server needs a webhook in order to accept the object, and could not call it.",
    causes: &[
        "Hedgehog's fabric controller is down or restarting.",
        "The certificate of the webhook has expired.",
        "The network inside the cluster is broken.",
    ],
    seen: "Nothing of this kind can be written for now. The comparison goes on, without the server's own confirmation.",
    steps: &["Check the controller: `kubectl -n fab get pods`.", "Sync again when it runs."],
};

pub(super) const CONFIG_INVALID: Explained = Explained {
    title: "The cluster's settings cannot be used",
    happened: "The kubeconfig or the single values of the cluster make no usable connection.",
    causes: &[
        "The kubeconfig starts a program (exec) for its credentials, which is refused: it would run on this server.",
        "It names files of another machine instead of holding their content.",
        "A certificate or a key is not in PEM, or they do not belong together.",
        "The stored credentials cannot be opened with the console's key.",
    ],
    seen: "The field that is wrong is named. The value itself is never shown.",
    steps: &[
        "Enter the cluster's settings anew; `kubectl config view --raw --minify --flatten` writes a kubeconfig that \
         holds everything.",
        "For a cloud's login, create the ServiceAccount that the settings page shows and use its token.",
    ],
};

pub(super) const CHANGED: Explained = Explained {
    title: "Another cluster answers",
    happened: "The cluster that answers is not the one that this fabric was used with: the namespace kube-system has \
               another UID. Nothing is written until somebody confirms it.",
    causes: &[
        "The kubeconfig of another cluster was entered by mistake.",
        "The control cluster was installed anew.",
        "A name or an address now leads to another machine.",
    ],
    seen: "The fabric's page offers to confirm the new cluster. Reading goes on being possible after that only.",
    steps: &[
        "If it was a mistake, enter the right credentials in Settings.",
        "If the fabric really moved, confirm it by typing the fabric's name.",
    ],
};

pub(super) const NOT_CONFIGURED: Explained = Explained {
    title: "The fabric has no cluster",
    happened: "The fabric was made without a cluster, so there is nothing to compare with or to write to.",
    causes: &["The cluster was left for later when the fabric was added."],
    seen: "The fabric's state is not configured. Its source can still be fetched.",
    steps: &["Enter the cluster in Settings.", "Press Test Connection."],
};
