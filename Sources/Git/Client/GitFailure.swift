import Base

/// Classifies git's standard error. Git runs with `LC_ALL=C`, so its messages are not translated.
enum GitFailure {
    /// - Parameters:
    ///   - place: the repository, for the message.
    ///   - doing: the action, as in "cannot \(doing)".
    static func classify(stderr: String, exit: String, timedOut: Bool, doing: String, place: String) -> GitError {
        let message = summary(stderr)
        // Names of repositories, branches and files may look like error messages.
        let text = withoutNames(stderr, place: place).lowercased()
        func has(_ any: String...) -> Bool { any.contains { text.contains($0) } }
        func error(_ kind: GitError.Kind, _ advice: String) -> GitError {
            GitError(kind, "cannot \(doing) \(place): \(advice)" + (message.isEmpty ? "" : " (git: \(message))"))
        }

        if timedOut { return error(.timeout, "it took longer than allowed") }
        if has("operation too slow", "timed out", "timeout was reached", "connection timeout", "gateway timeout") {
            return error(.timeout, "the remote sent nothing for too long")
        }
        if has("returned error: 413", "http 413", "exceeds maximum allowed size") {
            return error(.tooLarge, "the remote does not take that much at once")
        }
        if has("mismatched algorithms", "unknown object format", "unsupported object format", "unsupported hash algorithm") {
            return error(.refused, "the repository uses another kind of object ids (SHA-256); use one with SHA-1, which is git's default")
        }
        // Checked before authentication, because ssh adds "could not read from remote repository" to each of these.
        if has(
            "could not resolve host", "couldn't connect", "failed to connect", "connection refused", "no route to host",
            "network is unreachable", "temporary failure in name resolution", "name or service not known",
            "connection reset", "connection closed by", "empty reply from server", "the remote end hung up",
            "early eof", "unexpected disconnect", "returned error: 5", "error: 429", "kex_exchange_identification", "connection was closed")
        {
            return error(.unreachable, "the host cannot be reached or broke off; check the address and the network")
        }
        if has("host key verification failed") {
            return error(.authentication, "the host's key is not the known one; put the right line into known_hosts of the secret")
        }
        if has(
            "authentication failed", "could not read username", "could not read password", "permission denied (", "invalid credentials",
            "returned error: 401", "returned error: 403", "terminal prompts disabled", "access denied", "too many authentication failures")
        {
            return error(
                .authentication,
                "the credential is missing, wrong or not allowed to; give git one that may (on a cluster: a Secret that secretRef names)")
        }
        if has(
            "unable to update url base from redirection", "redirects followed", "warning: redirecting to", "returned error: 301",
            "returned error: 302",
            "returned error: 307", "returned error: 308")
        {
            return error(.refused, "the remote redirects elsewhere, and redirects are not followed; write the new address")
        }
        if has("certificate verif", "certificate problem", "no alternative certificate", "certificate subject name") {
            return error(
                .authentication,
                "the host's certificate is not trusted; name its authority (on a cluster: caFile of the Secret; else git's http.sslCAInfo)")
        }
        if has("detected dubious ownership") {
            return error(.refused, dubiousOwnership(dubiousPlace(stderr) ?? place))
        }
        if has("from promisor remote"), has("not allowed") {
            return error(.refused, "it is a partial clone, and what it left out is not fetched for it; name its remote instead")
        }
        if has("transport '", "protocol '", "not allowed") && has("transport", "protocol") {
            return error(.refused, "that transport is not allowed")
        }
        if has("no space left on device", "disk quota exceeded", "read-only file system", "unable to create temporary") {
            return error(.storage, "the disk is full or not writable")
        }
        // For a remote, git says "does not appear to be a git repository". These messages are about the local repository that git runs in.
        if has("not a git repository: '.'", "cannot change to '") {
            return error(.corrupt, "the repository on this machine is gone or damaged")
        }
        if has(
            "not our ref", "couldn't find remote ref", "unadvertised object", "no such ref", "remote did not send all necessary objects",
            "no such remote ref")
        {
            return error(.refNotFound, "the remote does not have it")
        }
        if has(
            "does not appear to be a git repository", "not a git repository", "repository not found", "returned error: 404",
            "not found", "no such file or directory", "project you were looking for could not be found",
            // For a web server that is not a git server, git tries to write files over WebDAV.
            "no dav locking support", "git-http-push failed", "info/refs not valid")
            && !has("bad object", "loose object", "packfile")
        {
            return error(.notARepository, "no git repository is there, or the credential may not see it")
        }
        if has(
            "bad object", "corrupt", "packfile", "loose object", "unable to read tree", "missing blob", "missing tree", "inflate:",
            "object file", "could not read", "invalid index-pack output", "index-pack failed", "unable to read sha1")
        {
            return error(.corrupt, "objects are missing or damaged")
        }
        return error(.failed, "git ended with \(exit)")
    }

    /// Git's message without the repository's address and without any text in single quotes.
    static func withoutNames(_ stderr: String, place: String) -> String {
        let text = place.utf8.count > 3 ? stderr.replacing(place, with: "") : stderr
        var out = ""
        var quoted: String?
        var previous: Character = " "
        for character in text {
            if let inside = quoted {
                if character == "'" {
                    // '.' is the repository that git runs in, not a name.
                    out += inside == "." ? ".'" : "'"
                    quoted = nil
                } else if character.isNewline {
                    out += inside + "\n"
                    quoted = nil
                } else {
                    quoted = inside + String(character)
                }
            } else {
                out.append(character)
                // An apostrophe inside a word, as in "couldn't", does not start a quotation.
                if character == "'", !previous.isLetter { quoted = "" }
            }
            previous = character
        }
        return out + (quoted ?? "")
    }

    /// The relevant lines joined into one line of limited length, without control characters and user information.
    static func summary(_ stderr: String) -> String {
        let noise = ["hint:", "warning: redirecting", "Please make sure you have", "and the repository exists", "Cloning into"]
        let lines = stderr.split(whereSeparator: \.isNewline).map { String($0).trimmedBlanks }
            .filter { line in !line.isEmpty && !noise.contains { line.hasPrefix($0) } }
        let text = lines.suffix(4).joined(separator: "; ")
        // How long an attempt took differs each time; the message of one cause is to stay the same.
        return withoutUserInfo(String(text.suffix(600)).replacing(/\ after [0-9]+ (ms|milliseconds)/, with: "").replacingControls)
    }

    /// The repository that git refuses because of its owner, as git writes it.
    static func dubiousPlace(_ stderr: String) -> String? {
        guard let start = stderr.firstRange(of: "dubious ownership in repository at '") else { return nil }
        let rest = stderr[start.upperBound...]
        return rest.firstIndex(of: "'").map { String(rest[..<$0]) }
    }

    static func dubiousOwnership(_ place: String) -> String {
        "the repository belongs to another user, and git reads such a repository only when it is told to: run "
            + "`git config --global --add safe.directory \(place)`, or change its owner"
    }

    /// Removes the text before the `@` in addresses such as `https://user:secret@host`.
    static func withoutUserInfo(_ text: String) -> String {
        var out = ""
        var rest = text[...]
        while let scheme = rest.firstRange(of: "://") {
            out += rest[..<scheme.upperBound]
            rest = rest[scheme.upperBound...]
            let authority = rest.prefix { $0 != "/" && $0 != " " && $0 != "'" && $0 != "\"" }
            if let at = authority.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        }
        return out + rest
    }
}

extension String {
    var trimmedBlanks: String {
        var view = self[...]
        while let first = view.first, first.isWhitespace { view = view.dropFirst() }
        while let last = view.last, last.isWhitespace { view = view.dropLast() }
        return String(view)
    }
}
