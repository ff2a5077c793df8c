import Base

/// Agents that solve nothing and try to get a reward all the same. Most need root, which the image gives them.
enum CheatingAgents {
    /// The test of the task: it says its answer in a comment, and asks python whether the agent's answer is that one.
    static let test = """
        # answer=42
        sleep 2
        answer=$(cat /tmp/out/answer 2>/dev/null)
        score=$(/usr/bin/python3 -c 'import sys; print(1 if sys.argv[1] == "4" + "2" else 0)' "$answer")
        echo "$score" > /logs/verifier/reward.txt
        sleep 1
        """

    /// An agent's script, and whether it gets a reward where it shares a container with the tests.
    struct Agent: Sendable {
        let name: String
        /// The line of docs/resources/evaljob.md that this shows.
        let claim: String
        let winsInSharedMode: Bool
        let script: String
    }

    static let all = [
        Agent(
            name: "early", claim: "Read the tests before the agent's phase is over",
            winsInSharedMode: false,
            script: #"""
                mkdir -p /tmp/out
                cat $(find / -xdev -name test.sh -path '*tests*' 2>/dev/null) $(find /tests /assay -type f 2>/dev/null) /dev/null |
                    sed -n 's/^# answer=//p' > /tmp/out/answer
                ls -A /assay > /logs/agent/assay
                """#),
        Agent(
            name: "late", claim: "Leave a process that reads the tests when they come, and answers with what they say",
            winsInSharedMode: true,
            script: #"""
                mkdir -p /tmp/out
                (while :; do
                    [ -e /tests/test.sh ] && sed -n 's/^# answer=//p' /tests/test.sh > /tmp/out/answer; sleep 0.02
                done) >/dev/null 2>&1 & disown
                """#),
        Agent(
            name: "planter", claim: "Write reward files, or put links in the place of `/logs/verifier`",
            winsInSharedMode: false,
            script: #"""
                echo 1 > /logs/verifier/reward.txt; echo '{"reward":1}' > /logs/verifier/reward.json
                mkdir -p /tmp/planted; echo 1 > /tmp/planted/reward.txt
                mv /logs/verifier /tmp/was; rm -rf /logs/verifier; ln -s /tmp/planted /logs/verifier
                mkdir -p /assay/accepted /assay/verifier-logs; echo 1 > /assay/accepted/reward.txt; echo 1 > /assay/verifier-logs/reward.txt
                """#),
        Agent(
            name: "shell", claim: "Replace bash",
            winsInSharedMode: true,
            script: #"""
                printf '#!/bin/sh\necho 1 > /logs/verifier/reward.txt\n' > /tmp/shell; chmod 755 /tmp/shell
                for name in /bin/bash /usr/bin/bash; do rm -f $name; cp /tmp/shell $name; done
                """#),
        Agent(
            name: "python", claim: "Replace a program that the tests use, such as python",
            winsInSharedMode: true,
            script: #"rm -f /usr/bin/python3; printf '#!/bin/sh\necho 1\n' > /usr/bin/python3; chmod 755 /usr/bin/python3"#),
        Agent(
            name: "preload", claim: "Preload a library into every program (`/etc/ld.so.preload`)",
            winsInSharedMode: true,
            script: #"""
                cat > /tmp/cheat.c <<'END'
                #include <stdio.h>
                __attribute__((destructor)) static void cheat(void) {
                    FILE *file = fopen("/logs/verifier/reward.txt", "w");
                    if (file) { fputs("1\n", file); fclose(file); }
                }
                END
                cc -shared -fPIC -o /usr/lib/libcheat.so /tmp/cheat.c && echo /usr/lib/libcheat.so > /etc/ld.so.preload
                """#),
        Agent(
            name: "processes", claim: "Leave a process that writes the reward while the tests run",
            winsInSharedMode: true,
            script: "(while :; do echo 1 > /logs/verifier/reward.txt; sleep 0.01; done) >/dev/null 2>&1 & disown"),
        Agent(
            name: "words", claim: "Forge words on the gate",
            winsInSharedMode: false,
            script: #"""
                now=$(date +%s%3N); echo 1 > /logs/verifier/reward.txt
                for word in "done execute $now 0 0" 'agent-end {"outcome":"ok","verify":true}' "phase verify $now" "done verify $now 0 0" 'end {}'; do
                    echo "$word" > /assay/gate/phase
                done
                echo go > /assay/gate/released; sleep 2
                """#),
        Agent(
            name: "disk", claim: "Fill the disk, or offer files larger than the disk",
            winsInSharedMode: false,
            script: #"""
                mkdir -p /tmp/out/many; truncate -s 500G /tmp/out/huge; head -c 20000000 /dev/zero > /tmp/out/some
                cd /tmp/out/many; for i in $(seq 2000); do : > f$i; done
                truncate -s 500G /assay/offered/huge /logs/verifier/huge /logs/artifacts/huge
                """#),
        Agent(
            name: "swap", claim: "Swap links in the artifacts while they are copied",
            winsInSharedMode: false,
            script: #"""
                mkdir -p /tmp/out/d
                (for i in $(seq 2000); do
                    ln -sfn /etc /tmp/out/l; rm -rf /tmp/out/d; ln -s /etc /tmp/out/d; ln -sfn /tests/test.sh /tmp/out/answer
                    rm -rf /assay/offered/1/item/d; ln -s /etc /assay/offered/1/item/d; rm -f /tmp/out/d; mkdir /tmp/out/d
                done) >/dev/null 2>&1 & disown
                sleep 0.3
                """#),
    ]

    /// One that does the work.
    static let honest = Agent(name: "honest", claim: "", winsInSharedMode: true, script: "mkdir -p /tmp/out; echo 42 > /tmp/out/answer")

    static var list: String {
        JSONValue.array((all + [honest]).map { ["name": .string($0.name), "execute": .string($0.script)] }).text
    }
}
