# shellcheck shell=bash disable=SC2034 # read by the other files
# The versions of everything that the test cluster is made of: the one place where they are written.
#
# 1.34 is the newest Kubernetes whose kubelet still takes cgroup v1 without being told to. On a
# machine with cgroup v2 a newer one works: change it here, or for one run by its variable.
kubernetes_version=${E2E_KUBERNETES_VERSION:-1.34.4}
coredns_version=${E2E_COREDNS_VERSION:-1.12.4}
helm_version=${E2E_HELM_VERSION:-3.19.2}
kwok_version=${E2E_KWOK_VERSION:-0.7.0}

# What comes as Debian packages, in the versions of the machine's own Debian.
debian_packages='etcd-server containerd runc containernetworking-plugins busybox-static'
