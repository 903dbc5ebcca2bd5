//! Forms, confirmations, the login and errors.

use super::*;

pub fn fabric_form() -> fabric_form::Page {
    use field::{Field, FieldKind::*};
    let mut server =
        Field::new(Text, "server", "API server", "htps://10.0.12.4:6443").help("For example https://10.0.12.4:6443.");
    server.error = Some("htps is not a scheme for an API server. Write https://.".into());
    let mut token = Field::new(Secret, "token", "Token", "").help("Of the ServiceAccount beside this form.");
    token.stored = true;
    let clusters =
        &[("kubeconfig", "By kubeconfig"), ("endpoint", "By address and token"), ("none", "Later: no cluster yet")];
    let credentials =
        &[("none", "Without credentials"), ("token", "With a token over https"), ("ssh", "With an SSH key")];
    fabric_form::Page {
        frame: fabric_frame("Settings", "fabric_edit"),
        head: Some(head_out_of_sync()),
        tabs: Some(tabs(FabricPage::Settings)),
        action: url::fabric_edit(FABRIC),
        version: Some("3".into()),
        form: fabric_form::Fields {
            name: Field::new(Text, "name", "Name", "lab-1").required(),
            description: Field::new(Text, "description", "Description", "Two spines, four leaves"),
            sync_enabled: Field::new(Check, "sync_enabled", "Sync is on", "on")
                .help("When off, nothing is written to the cluster."),
            deadline_minutes: Field::new(Text, "deadline_minutes", "Time limit in minutes", "15"),
            cluster_kind: Field::new(Select, "cluster_kind", "How the cluster is reached", "endpoint")
                .options(clusters),
            kubeconfig: Field::new(SecretArea, "kubeconfig", "Kubeconfig", "")
                .help("Exec plugins are refused: they would run on this server."),
            server,
            token,
            client_certificate: Field::new(Area, "client_certificate", "Client certificate", ""),
            client_key: Field::new(SecretArea, "client_key", "Client key", ""),
            ca_pem: Field::new(Area, "ca_pem", "CA certificate", "").placeholder("-----BEGIN CERTIFICATE-----"),
            verify_tls: Field::new(Check, "verify_tls", "Verify the cluster's certificate", "on"),
            namespace: Field::new(Text, "namespace", "Namespace", "default").required(),
            source_url: Field::new(Text, "source_url", "Repository", "https://git.example.net/fabrics/lab-1.git"),
            branch: Field::new(Text, "branch", "Branch", "main"),
            path: Field::new(Text, "path", "Path", "fabric/"),
            credential_kind: Field::new(Select, "credential_kind", "How to log in to it", "token").options(credentials),
            source_username: Field::new(Text, "source_username", "User name", "hedgerow"),
            source_token: Field::new(Secret, "source_token", "Token or password", ""),
            ssh_key: Field::new(SecretArea, "ssh_key", "SSH key", ""),
            known_hosts: Field::new(Area, "known_hosts", "Known hosts", ""),
            automatic: automatic_fields(),
        },
        errors: vec![("server".into(), "API server: htps is not a scheme for an API server".into())],
        password: None,
        submit: "Save changes".into(),
        cancel: url::fabric(FABRIC),
        delete: Some(url::fabric_delete(FABRIC)),
        service_account: "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: hedgerow\n  namespace: default\n"
            .into(),
        token_command: "kubectl -n default create token hedgerow --duration 8760h".into(),
    }
}

/// One window that is in use, one that is wrong, one to fill.
fn automatic_fields() -> fabric_form::AutomaticFields {
    use field::{Field, FieldKind::*};
    let kinds = &[("none", "None"), ("allow", "Allow"), ("deny", "Deny")];
    let names = [
        ["window_kind_1", "window_schedule_1", "window_minutes_1", "window_time_zone_1"],
        ["window_kind_2", "window_schedule_2", "window_minutes_2", "window_time_zone_2"],
        ["window_kind_3", "window_schedule_3", "window_minutes_3", "window_time_zone_3"],
    ];
    let row = |number: usize, values: [&str; 4]| fabric_form::WindowFields {
        kind: Field::new(Select, names[number][0], ["Window 1", "Window 2", "Window 3"][number], values[0])
            .options(kinds),
        schedule: Field::new(Text, names[number][1], "Begins", values[1]).placeholder("0 22 * * 1-5"),
        minutes: Field::new(Text, names[number][2], "Minutes", values[2]).placeholder("480"),
        time_zone: Field::new(Text, names[number][3], "Time zone", values[3]),
    };
    let mut wrong = row(1, ["allow", "0 22 * *", "480", "Europe/Berlin"]);
    wrong.schedule.error = Some(
        "Give five fields: minute, hour, day of the month, month, day of the week, such as 0 22 * * 1-5; there are 4."
            .into(),
    );
    fabric_form::AutomaticFields {
        sync_interval: Field::new(Text, "sync_interval", "Sync every", "15 min").help("Such as 90 s, 15 min, 2 h."),
        self_heal: Field::new(Check, "self_heal", "Self-heal", "on").help("Put right as soon as it is seen."),
        prune: Field::new(Check, "prune", "Prune", ""),
        prune_limit: Field::new(Text, "prune_limit", "Most that is deleted without a confirmation, in percent", "20"),
        rollout_wait: Field::new(Text, "rollout_wait", "Follow the switches for", ""),
        windows: vec![row(0, ["deny", "0 8 * * 1-5", "600", "Europe/Berlin"]), wrong, row(2, ["none", "", "", "UTC"])],
    }
}

pub fn suspend() -> suspend::Page {
    suspend::Page {
        frame: fabric_frame("Suspend automatic syncs", "fabric_suspend"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Overview),
        standing: "The next automatic sync is in 4 min.".into(),
        is_suspended: false,
        reason: String::new(),
        error: Some(Notice::new(
            Tone::Bad,
            "Nothing was suspended: the reason is missing.",
            "",
            "Say in a few words why, so that the next person knows when to resume.",
        )),
    }
}

pub fn fabric_delete() -> fabric_delete::DeletePage {
    fabric_delete::DeletePage {
        frame: fabric_frame("Delete", "fabric_delete"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Settings),
        dependents: vec![
            Fact::new("Operations", "312, with every outcome"),
            Fact::new("Comparison", "of 60 objects"),
            Fact::new("Local repository", "none; the source is remote"),
        ],
        typed: "lab".into(),
        error: Some(Notice::new(Tone::Bad, "Nothing was deleted.", "The name that was typed is lab, not lab-1.", "")),
    }
}

pub fn confirm_cluster() -> fabric_delete::ConfirmPage {
    fabric_delete::ConfirmPage {
        frame: fabric_frame("Confirm the cluster", "fabric_confirm_cluster"),
        head: head(
            badge(Tone::Bad, Icon::Bang, "Another cluster answers"),
            "Nothing is written until the new cluster is confirmed.",
            Some(30),
            None,
        ),
        tabs: tabs(FabricPage::Settings),
        changed: true,
        remembered: Some("4c1d9c0a-5a0e-4f2e-9c51-3a0f3ce0a7b1".into()),
        answering: "b81f33de-0c5b-4a66-8a0f-9f6f1f7f2c10".into(),
        typed: String::new(),
        error: None,
    }
}

pub fn login() -> login::Page {
    login::Page {
        frame: bare("Log in", "login"),
        openid: Some(("Example ID".into(), url::openid_login())),
        csrf: "sample-token".into(),
        next: "/fabrics/7/".into(),
        leads_to: "/fabrics/7/".into(),
        is_kept: false,
        username: "alice".into(),
        notices: vec![Notice::new(Tone::Bad, "User name or password is wrong.", "", "Check both and try again.")],
    }
}

pub fn error() -> error::Page {
    error::Page {
        frame: bare("Not found", "error"),
        title: "There is no such page".into(),
        message: "No fabric has the number 4711, or you may not see it.".into(),
        todo: "Check the address.".into(),
        status: 404,
        code: "not_found".into(),
        request_id: "0191f3c4-2f0e-7c1a".into(),
        links: vec![("Fabrics".into(), url::fabrics())],
        again: None,
    }
}

pub fn docs_codes() -> docs::Codes {
    docs::Codes { frame: bare("Codes", "docs_codes"), codes: Code::ALL }
}

pub fn docs_code() -> docs::OneCode {
    let (code, explained) = (Code::KubernetesConflict, Code::KubernetesConflict.explained());
    docs::OneCode { frame: bare(explained.title, "docs_code"), code, explained }
}

pub fn csrf_again() -> error::Page {
    error::Page {
        title: "Press once more".into(),
        message: "This page came from an earlier login, so its token had ended. Nothing was done.".into(),
        todo: "The form is here again with a new token and what it held.".into(),
        status: 403,
        code: "csrf_failed".into(),
        again: Some(error::Again {
            action: url::sync(FABRIC),
            csrf: "sample-token".into(),
            kept: vec![("comparison".into(), "4711".into())],
            secret: vec![],
            password: false,
            label: "Sync to Kubernetes".into(),
        }),
        ..error()
    }
}
