import Subprocess

/// What every nginx of the tests has in common: one process in the foreground, with all its files in one directory.
enum Nginx {
    /// The directives at the root of the configuration.
    static func root(_ directory: String) -> String {
        """
        daemon off;
        master_process off;
        pid \(directory)/nginx.pid;
        error_log \(directory)/error.log;
        """
    }

    /// The directives in `http` for the folders of temporary files, on one line.
    static func temporaryFolders(_ directory: String) -> String {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(directory)/tmp-\($0);" }.joined(separator: " ")
    }

    /// Starts nginx with the `nginx.conf` of the directory.
    static func start(_ directory: String) throws -> RunningCommand {
        try RunningCommand.start(Command("nginx", ["-c", "\(directory)/nginx.conf", "-e", "\(directory)/error.log"]))
    }
}
