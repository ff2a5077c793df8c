import Base
import Foundation
import Glibc
import Subprocess
import Testing

extension EndToEnd {
    /// Trials with a restricted network on the laptop, with real podman: what an agent reaches, and what stands in the record.
    @Suite struct NetworkTests {
        /// A model's host that answers, and one that sends its clients elsewhere; a service of the host that no trial may reach.
        private static let servers = """
            import http.server, sys, threading
            class Model(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    if self.path == "/away":
                        self.send_response(302); self.send_header("Location", "http://169.254.169.254/latest/"); self.end_headers(); return
                    body = b"the-model"
                    self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
                def log_message(self, *_): pass
            class Host(Model):
                def do_GET(self):
                    self.send_response(200); self.end_headers(); self.wfile.write(b"the-host")
            model = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Model)
            host = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Host)
            threading.Thread(target=host.serve_forever, daemon=True).start()
            print(model.server_port, host.server_port, flush=True)
            model.serve_forever()
            """

        /// Tries everything and prints lines `NAME=RESULT`.
        private static func probes(model: Int, host: Int, addresses: [String], name: String) -> String {
            let direct = addresses.map { #"tcp("host \#($0)", "\#($0)", \#(host)); web("proxied host \#($0)", "http://\#($0):\#(host)/")"# }
            return """
                cat > /tmp/probe.py <<'PROBE'
                import os, socket, urllib.request
                def say(name, result): print(f"{name}={result}", flush=True)
                def tcp(name, address, port, family=socket.AF_INET):
                    try: s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(5)
                    except OSError as e: say(name, "no socket"); return
                    try: s.connect((address, port)); say(name, "reached")
                    except OSError as e: say(name, "failed")
                def web(name, url):
                    try: say(name, urllib.request.urlopen(url, timeout=20).read().decode())
                    except urllib.error.HTTPError as e: say(name, e.code)
                    except OSError as e: say(name, "failed")
                web("model", "http://127.0.0.2:\(model)/")
                web("redirect", "http://127.0.0.2:\(model)/away")
                web("other port of the model", "http://127.0.0.2:\(host)/")
                tcp("model without the proxy", "127.0.0.2", \(model))
                web("name", "http://example.com/")
                web("private name", "http://localhost.localdomain:\(host)/")
                web("listed private name", "http://\(name):\(host)/")
                web("ipv6", "http://[2606:4700:4700::1111]/")
                tcp("address", "1.1.1.1", 443)
                tcp("ipv6 address", "2606:4700:4700::1111", 443, socket.AF_INET6)
                \(direct.joined(separator: "\n"))
                tcp("vsock", 2, 22, 40)
                try: socket.getaddrinfo("example.com", 80); say("lookup", "found")
                except OSError: say("lookup", "failed")
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                try: s.sendto(b"x", ("1.1.1.1", 53)); say("dns", "sent")
                except OSError: say("dns", "failed")
                say("interfaces", ",".join(sorted(os.listdir("/sys/class/net"))))
                say("token", os.environ.get("https_proxy"))
                PROBE
                python3 /tmp/probe.py
                """
        }

        /// A name in /etc/hosts that is on loopback.
        private static var localName: String? {
            let lines = ((try? String(contentsOfFile: "/etc/hosts", encoding: .utf8)) ?? "").split(separator: "\n").map { $0.prefix { $0 != "#" } }
            let names = lines.flatMap { line -> [Substring] in
                let words = line.split(whereSeparator: \.isWhitespace)
                return words.first == "127.0.0.1" || words.first == "::1" || words.first == "127.0.1.1" ? Array(words.dropFirst()) : []
            }
            return names.map(String.init).first { $0 != "localhost" && !$0.hasPrefix("localhost.") }
        }

        private func start(_ bench: Workbench) async throws -> (server: RunningCommand, model: Int, host: Int) {
            try bench.write("servers.py", Self.servers)
            let server = try bench.start("/usr/bin/python3", ["servers.py"], to: "servers.log")
            try await eventually("the servers serve") { (try? bench.read("servers.log").contains("\n")) ?? false }
            let ports = try bench.read("servers.log").split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
            try #require(ports.count == 2)
            return (server, ports[0], ports[1])
        }

        @Test("an agent without network reaches its listed model host and nothing else, and its run says what it was denied")
        func noNetwork() async throws {
            try await Workbench.with("network") { bench in
                let (server, model, host) = try await start(bench)
                defer { server.signal(SIGKILL) }
                let addresses = try await Command("hostname", ["-I"]).run().stdoutText.split(separator: " ").map { String($0.trimmed) }
                    .filter { $0.contains(".") }
                try #require(!addresses.isEmpty, "this machine has no address besides loopback")
                // A name of this machine that is listed, but whose address is not.
                let name = try #require(Self.localName, "/etc/hosts has no name besides localhost")
                try bench.task(
                    "closed", toml: "[agent]\ntimeout_sec = 300.0\n",
                    test: """
                        mkdir -p /logs/verifier; env | grep -i proxy > /logs/verifier/proxies.txt; ls /sys/class/net >> /logs/verifier/proxies.txt
                        echo 1 > /logs/verifier/reward.txt
                        """)
                try await bench.commitBenchmark()
                let agent: JSONValue = [
                    [
                        "name": "prober", "execute": .string(Self.probes(model: model, host: host, addresses: addresses, name: name)),
                        "allowedHosts": [.string("127.0.0.2:\(model)"), .string(name)],
                    ]
                ]
                try bench.write("job.yaml", JobFiles.job("network", agents: agent.text, environment: "network: {mode: no-network}"))
                try await bench.assay("run", "job.yaml", expecting: 0)

                let output = try await bench.output(ofAgent: "prober")
                let found = Dictionary(
                    output.split(separator: "\n").compactMap { line -> (String, String)? in
                        let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
                        return parts.count == 2 ? (parts[0], parts[1]) : nil
                    }, uniquingKeysWith: { $1 })
                #expect(found["model"] == "the-model", "\(output)")
                for name in ["redirect", "other port of the model", "name", "private name", "listed private name", "ipv6"]
                    + addresses.map({ "proxied host \($0)" })
                {
                    #expect(found[name] == "403", "\(name): \(found[name] ?? "-")")
                }
                for name in ["model without the proxy", "address", "ipv6 address", "lookup", "dns"] + addresses.map({ "host \($0)" }) {
                    #expect(found[name] == "failed", "\(name): \(found[name] ?? "-")")
                }
                #expect(found["interfaces"] == "lo")
                #expect(found["vsock"] == "no socket")
                #expect(found["token"]?.contains("[redacted") == true || found["token"]?.contains("e1.") == false, "\(found["token"] ?? "-")")
                // The verifier may reach nothing, so it has no proxy either.
                let proxies = try await bench.output(ofAgent: "prober", "logs/verifier/proxies.txt")
                #expect(proxies.trimmed == "lo", "\(proxies)")

                let denials = try JSONValue(parsing: try await bench.output(ofAgent: "prober", "logs/network/denials.json"))
                let denied = (denials["denials"]?.array ?? []).map {
                    "\($0["phase"]?.string ?? "") \($0["host"]?.string ?? ""):\($0["port"]?.int ?? 0)"
                }
                let refused = (denials["denials"]?.array ?? []).first { $0["host"]?.string == name }
                #expect(refused?["reason"] == "address_not_public" && refused?["port"]?.int == host, "\(denials.text)")
                #expect(denied.contains("execute example.com:80") && denied.contains("execute 169.254.169.254:80"), "\(denied)")
                let everything = try await bench.git("log", "-p", "--text", "--format=%B", "assay/runs/v1", in: bench.results)
                #expect(!everything.contains("e1.ey"), "a token stands in the results")
            }
        }

        @Test("an agent that fails because a host is not listed says which one; a task's own mode restricts as the job's does")
        func explains() async throws {
            try await Workbench.with("network-error") { bench in
                try bench.task("open", toml: "[agent]\ntimeout_sec = 300.0\n")
                try await bench.commitBenchmark()
                let agent = JobFiles.agent(
                    "caller", install: "! curl -sf --max-time 5 http://198.51.100.7/", execute: "curl -sfS --max-time 20 http://example.com/")
                try bench.write(
                    "job.yaml", JobFiles.job("network", agents: agent, environment: "network: {mode: allowlist, allowedHosts: [model.example]}"))
                // The tests decide, whatever the agent's exit code.
                try await bench.assay("run", "job.yaml", expecting: 0)
                let branch = try await bench.branch()
                let message = branch.runs.values.first?.at("error", "message")?.string ?? ""
                #expect(message.contains("does not allow example.com:80"), "\(message)")
            }
        }
    }
}
