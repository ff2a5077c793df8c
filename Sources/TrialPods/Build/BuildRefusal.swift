import Base

/// Recognises what keeps a builder from working at all, whatever it builds. Pure.
public enum BuildRefusal {
    /// What refused, and what to do; nil when the output shows a failure of the build itself.
    ///
    /// The texts are buildah's: it needs a user namespace, or CAP_SYS_ADMIN, to confine RUN steps.
    public static func reason(_ log: BuildLog) -> String? {
        let text = log.end
        let advice =
            "; allow it in spec.image.build.securityContext of the EvalTarget (seccompProfile, appArmorProfile, capabilities), or name another builder"
        if text.contains("unshare(CLONE_NEWUSER)") || text.contains("Error during unshare") || text.contains("error creating new user namespace") {
            return "the node refuses the builder a user namespace: its seccomp profile, AppArmor, or the limit of user namespaces\(advice)"
        }
        if text.contains("fork/exec /proc/self/exe: operation not permitted") || text.contains("fork/exec /proc/self/exe: permission denied") {
            return "the node refuses the builder the namespaces that confine RUN steps: its seccomp profile or AppArmor\(advice)"
        }
        if text.contains("apparmor") && text.contains("denied") { return "AppArmor refuses what the builder does\(advice)" }
        return nil
    }
}
