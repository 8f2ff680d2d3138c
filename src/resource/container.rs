//! The id of the container that this process is in, as runtimes show it: in the path of the control group (version 1, or
//! without a namespace), or in where `/etc/hostname` is mounted from.

use std::path::Path;

/// How long an id is, in hexadecimal digits.
const LENGTH: usize = 64;

/// The id, if there is one to be seen.
pub(super) fn id(root: &Path) -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    of_cgroup(&read("proc/self/cgroup")).or_else(|| of_mounts(&read("proc/self/mountinfo")))
}

/// `0::/system.slice/docker-<id>.scope`, `4:memory:/kubepods/pod…/<id>`.
fn of_cgroup(text: &str) -> Option<String> {
    let last = |line: &str| line.rsplit('/').next().unwrap_or_default().to_owned();
    text.lines().find_map(|line| {
        let last = last(line);
        let scope = last.strip_suffix(".scope").unwrap_or(&last);
        let id = scope.rsplit(['-', ':']).next().unwrap_or_default();
        is_id(id).then(|| id.to_owned())
    })
}

/// `… /var/lib/docker/containers/<id>/hostname /etc/hostname …`. A sandbox is what the containers of a pod share.
fn of_mounts(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (from, to) = (fields.next()?, fields.next()?);
        if to != "/etc/hostname" || from.contains("/sandboxes/") {
            return None;
        }
        from.split('/').find(|part| is_id(part)).map(str::to_owned)
    })
}

fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_id_where_runtimes_put_it() {
        let id = "0123456789abcdef".repeat(4);
        for line in [
            format!("0::/system.slice/docker-{id}.scope"),
            format!("12:pids:/docker/{id}"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            format!("1:cpu:/kubepods-pod1.slice:cri-containerd:{id}"),
        ] {
            assert_eq!(of_cgroup(&format!("13:name=systemd:/\n{line}\n")).as_ref(), Some(&id), "{line}");
        }
        assert_eq!(of_cgroup("0::/\n"), None);
        assert_eq!(of_cgroup("0::/user.slice/user-1000.slice/session-2.scope\n"), None);
        let mount = |from: &str| format!("1 2 8:1 {from} /etc/hostname rw - ext4 /dev/sda1 rw\n");
        let docker = mount(&format!("/var/lib/docker/containers/{id}/hostname"));
        assert_eq!(of_mounts(&docker), Some(id.clone()));
        let podman = mount(&format!("/containers/storage/overlay-containers/{id}/userdata/hostname"));
        assert_eq!(of_mounts(&podman), Some(id.clone()));
        assert_eq!(of_mounts(&mount(&format!("/io.containerd.grpc.v1.cri/sandboxes/{id}/hostname"))), None);
        assert_eq!(of_mounts(&docker.replace("/etc/hostname", "/etc/hosts")), None);
    }
}
