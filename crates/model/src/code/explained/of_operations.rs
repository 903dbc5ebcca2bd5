//! Codes of operations: how they end besides what the cluster or the source says.

use super::Explained;

pub(super) const ALREADY_RUNNING: Explained = Explained {
    title: "The same operation runs already",
    happened: "The same was asked for before and is not done yet, so that operation is the answer. No second one began.",
    causes: &["A button was pressed twice.", "Somebody else, or the schedule, asked for the same just before."],
    seen: "The running operation with its progress. A script gets 202 with the operation and this code.",
    steps: &["Follow the operation to its end."],
};

pub(super) const ALREADY_ENDED: Explained = Explained {
    title: "The operation had ended before",
    happened: "Somebody asked for the end of an operation that had ended by itself. Nothing was cancelled.",
    causes: &["It ended while its page was being read.", "A script asked for the end of an older operation."],
    seen: "How and when it ended, on its page. A script gets 422 with the operation and this code; of one that had been \
           cancelled before it gets 200, because that is what it asked for.",
    steps: &["Look at what it has done.", "To undo what it wrote, change the source and sync again."],
};

pub(super) const INTERRUPTED: Explained = Explained {
    title: "The operation was interrupted",
    happened: "The process that ran the operation ended before it was done, or stopped giving signs of life.",
    causes: &[
        "Hedgerow was stopped or restarted.",
        "The process was killed, or the machine lost its power.",
        "The console was restored from a backup in which the operation was running.",
    ],
    seen: "What had been written until then, object by object, as last observed. The fabric is not blocked: the lease is \
           over.",
    steps: &["Start it again. It begins by looking at the cluster, so that nothing is done twice."],
};

pub(super) const SYNC_DISABLED: Explained = Explained {
    title: "Sync is switched off",
    happened: "Sync to Kubernetes is switched off for this fabric, so nothing was written.",
    causes: &["Somebody switched it off in the fabric's settings, for example during a maintenance."],
    seen: "The fabric's state is disabled. Comparing goes on.",
    steps: &["Ask who switched it off.", "Switch sync on in Settings, then sync."],
};

pub(super) const PREFLIGHT_FAILED: Explained = Explained {
    title: "The rules before a sync found errors",
    happened: "The desired state breaks rules that the cluster itself does not check. The sync ended before its first \
               write.",
    causes: &[
        "A reference leads to something that exists neither in the source nor in the cluster, or to something that the \
         source has in a document that could not be read.",
        "Two objects claim the same port, VLAN or subnet.",
        "A change is dangerous for a running fabric.",
    ],
    seen: "Every rule that was broken, with object, path and file. Warnings are shown too, and do not stop a sync.",
    steps: &["Correct the objects that are named and commit.", "Sync again."],
};

pub(super) const PRUNE_NOT_ALLOWED: Explained = Explained {
    title: "Deletions are not allowed for this fabric",
    happened: "The run was asked to delete what Git no longer names, and the fabric's policy does not allow that. Nothing \
               was written.",
    causes: &["Pruning is off by default, and nobody has switched it on for this fabric."],
    seen: "The operation ends before its first write.",
    steps: &[
        "Allow deletions in the fabric's settings.",
        "Or sync without deleting: what is extra stays and is listed.",
    ],
};

pub(super) const PRUNE_UNCONFIRMED: Explained = Explained {
    title: "More would be deleted than somebody has confirmed",
    happened: "The run would delete everything, or a larger share of the fabric than its policy lets go by itself. \
               Nothing was written.",
    causes: &[
        "The path or the branch of the source was changed, so that Git holds another fabric's objects or none.",
        "Many objects were removed from Git on purpose.",
    ],
    seen: "The list of what would be deleted.",
    steps: &["Look at the list and at what the last commits removed.", "To go on, type the fabric's name in the form."],
};

pub(super) const DELETION_PENDING: Explained = Explained {
    title: "A deletion is still on its way",
    happened: "The object has the name or the place of one that was deleted, and that deletion has not reached every \
               switch yet: Hedgehog may not get both in one step. Or the object itself is being deleted, and its finalizers hold \
               it.",
    causes: &[
        "The object was renamed or moved, which deletes it and creates another.",
        "A switch is offline or stuck.",
        "Somebody deleted the object in the cluster, and the controller of its finalizer has not let it go.",
    ],
    seen: "The object is listed as waiting. The others were written.",
    steps: &[
        "Wait until the switches have applied the deletion: the fabric's page names those that have not. Where finalizers \
         hold the object, its message names them: look at the controllers that they belong to.",
        "Sync again.",
    ],
};

pub(super) const ADDRESS_REMOVAL: Explained = Explained {
    title: "The sync would take addresses away",
    happened: "The object in Git has no addresses where the live one has, and nobody has confirmed that they shall go. \
               The object was left as it is.",
    causes: &[
        "The wiring in Git was written by hand and not hydrated: Hedgehog had filled in the addresses itself.",
        "The addresses were removed from the file on purpose.",
    ],
    seen: "The fields that would lose their addresses. The other objects were written.",
    steps: &[
        "Put the addresses into the file: Sync from Fabric shows what is live.",
        "Or confirm on the operation's page that they go. Links lose their sessions then.",
    ],
};

pub(super) const CHANGED_SINCE_COMPARISON: Explained = Explained {
    title: "The cluster changed after the page was shown",
    happened: "The object was changed in the cluster after the comparison that your page showed. It was not overwritten, \
               because you had not seen the change.",
    causes: &["Somebody used kubectl in the meantime.", "The page had been open for a while."],
    seen: "What changed, and by whom. The other objects were written.",
    steps: &["Look at the new differences, then sync again from the page as it is now."],
};

pub(super) const PARTIAL: Explained = Explained {
    title: "A part failed",
    happened: "Some objects or kinds were done, others were not.",
    causes: &[
        "Single objects were refused.",
        "A kind could not be read, because a right is missing or its API is broken.",
    ],
    seen: "Every object with its own outcome and code, the failed ones on top. It does not count as a success.",
    steps: &[
        "Look at the objects that failed: each has its code and what to do.",
        "Sync again; what is done stays done.",
    ],
};

pub(super) const NOT_VERIFIED: Explained = Explained {
    title: "Written, but not found as written",
    happened: "The cluster took the write, but when everything was read again the object was not as desired.",
    causes: &[
        "Another writer changed it back at once.",
        "The API server or a webhook rewrote a value, which is a defect in Hedgerow's rules to report.",
        "A field was discarded, because this release does not know it.",
    ],
    seen: "The fields that differ after the write. The object does not count as live.",
    steps: &[
        "Look at the differences and at who set them.",
        "Stop the other writer, or take its values over into Git.",
    ],
};

pub(super) const DEADLINE_EXCEEDED: Explained = Explained {
    title: "The deadline of the operation passed",
    happened: "The operation took longer than the fabric's time limit and was ended where it was.",
    causes: &["The cluster or the Git server answers slowly.", "The change is very large."],
    seen: "Which phase took the time, what had been written until then, and what was not.",
    steps: &["Look at the phases to see where the time went.", "Sync again, or raise the time limit in Settings."],
};

pub(super) const CANCELLED: Explained = Explained {
    title: "The operation was cancelled",
    happened: "A person ended the operation.",
    causes: &["Somebody pressed Cancel on the operation's page."],
    seen: "Who it was, and what had been written until then. Nothing is taken back.",
    steps: &["Start it again when you want it. It begins by looking at the cluster."],
};
