/// The custom resource definitions, as in manifests/crds: for the embedded control plane, where nobody applies them.
/// Made by `make generate`.
public enum CustomResourceDefinitions {
    /// YAML documents, one each.
    public static let documents = [evalJobs, evalTargets, overlaySources]

    public static let evalJobs = ##"""
        # EvalJob. Rules that speak of the status read it in the old object: what has trials is measured as it was. Every string, list and
        # map that a rule walks through is bounded, because the API server refuses rules whose estimated cost is too high.
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: evaljobs.assay.dev
          labels:
            app.kubernetes.io/name: assay
        spec:
          group: assay.dev
          scope: Namespaced
          names:
            kind: EvalJob
            listKind: EvalJobList
            plural: evaljobs
            singular: evaljob
            shortNames:
            - ej
            categories:
            - assay
          versions:
          - name: v1alpha1
            served: true
            storage: true
            subresources:
              status: {}
            additionalPrinterColumns:
            - name: Phase
              type: string
              description: Where the job stands.
              jsonPath: .status.phase
            - name: Completed
              type: string
              description: Counted trials of all.
              jsonPath: .status.trials.progress
            - name: Failed
              type: integer
              description: Trials with an error.
              jsonPath: .status.trials.failed
            - name: Pass Rate
              type: number
              description: Passes of all trials that tell something about an agent.
              jsonPath: .status.metrics.passRate
            - name: Mean Reward
              type: number
              description: The mean of the rewards.
              jsonPath: .status.metrics.meanReward
            - name: Age
              type: date
              description: When the object was created.
              jsonPath: .metadata.creationTimestamp
            schema:
              openAPIV3Schema:
                type: object
                description: 'An evaluation: agents on the tasks of datasets, a number of attempts each. Results are git commits.'
                required:
                - spec
                properties:
                  apiVersion:
                    type: string
                    description: The version of the schema that this object is written in.
                  kind:
                    type: string
                    description: 'The kind of the object: EvalJob.'
                  metadata:
                    type: object
                  spec:
                    type: object
                    description: What is wanted. All but parallelism, suspend, cancel, retry, activeDeadlineSeconds and ttlSecondsAfterFinished
                      is fixed once trials exist.
                    required:
                    - source
                    - datasets
                    - agents
                    properties:
                      source:
                        type: object
                        description: The repository that holds the benchmark.
                        required:
                        - repo
                        properties:
                          repo:
                            type: string
                            description: The URL of the repository.
                            minLength: 1
                            maxLength: 2048
                            pattern: '^[^-\x00-\x20\x7F][^\x00-\x1F\x7F]*$'
                            x-kubernetes-validations:
                            - rule: '!self.matches(''^[A-Za-z0-9+.-]*::'')'
                              message: 'transport helpers such as ext:: are not allowed; use https or ssh'
                            - rule: '!self.contains(''://'') || self.matches(''^(https?|ssh|file)://'')'
                              message: the scheme must be https or ssh (http and file only where the operator allows them)
                            - rule: '!self.matches(''^https?://[^/?#]*@'')'
                              message: credentials do not belong into the URL; name a Secret in secretRef
                            - rule: '!self.matches(''^ssh://[^/?#@]*:[^/?#]*@'')'
                              message: a password does not belong into the URL; name a Secret in secretRef
                          ref:
                            type: string
                            description: 'A branch, tag or commit; pinned to a commit when the job starts. Omitted: the default
                              branch.'
                            minLength: 1
                            maxLength: 255
                            pattern: '^[^-/.\x00-\x20\x7F~^:?*\[\\][^\x00-\x20\x7F~^:?*\[\\]*$'
                            x-kubernetes-validations:
                            - rule: '!self.contains(''..'') && !self.contains(''@{'') && !self.contains(''//'') && !self.endsWith(''/'')
                                && !self.endsWith(''.'') && !self.endsWith(''.lock'')'
                              message: must be the name of a branch or tag, or a commit
                          secretRef:
                            type: object
                            description: 'Credentials: a Secret with token, or username and password, or ssh-privatekey and known_hosts.'
                            required:
                            - name
                            properties:
                              name:
                                type: string
                                description: The Secret's name, in the namespace of this object.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                          fixtures:
                            type: object
                            description: Large files that tasks need and git does not hold.
                            properties:
                              manifest:
                                type: string
                                description: The lock file's path within the repository; each blob in it has size and SHA-256.
                                maxLength: 1024
                                pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                                minLength: 1
                                x-kubernetes-validations:
                                - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                  message: 'must stay within its folder: no component may be .. or .git'
                              cachePath:
                                type: string
                                description: Where blobs are cached, relative to the cache of the node.
                                maxLength: 1024
                                pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                                minLength: 1
                                x-kubernetes-validations:
                                - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                  message: 'must stay within its folder: no component may be .. or .git'
                      targetRef:
                        type: object
                        description: 'The EvalTarget to run on. Omitted: the one named default, else this cluster with oneshot sync.'
                        required:
                        - name
                        properties:
                          name:
                            type: string
                            description: The EvalTarget's name.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      overlays:
                        type: array
                        description: 'OverlaySources to lay over the trials, in order; later ones shadow earlier ones. Omitted:
                          all of the namespace, by spec.order and name. Empty: none.'
                        maxItems: 32
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - name
                        items:
                          type: object
                          description: An OverlaySource.
                          required:
                          - name
                          properties:
                            name:
                              type: string
                              description: The OverlaySource's name.
                              minLength: 1
                              maxLength: 253
                              pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      datasets:
                        type: array
                        description: The tasks to run, in order.
                        minItems: 1
                        maxItems: 32
                        items:
                          type: object
                          description: 'A set of tasks: a folder, an entry of a registry, or a list.'
                          properties:
                            path:
                              type: string
                              description: A folder of the source whose subfolders are tasks; or one task's folder.
                              maxLength: 1024
                              pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                              minLength: 1
                              x-kubernetes-validations:
                              - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                message: 'must stay within its folder: no component may be .. or .git'
                            registry:
                              type: object
                              description: A registry.json that lists datasets; name and version choose the entry.
                              properties:
                                path:
                                  type: string
                                  description: The registry's path within the source.
                                  maxLength: 1024
                                  pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                                  minLength: 1
                                  x-kubernetes-validations:
                                  - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                    message: 'must stay within its folder: no component may be .. or .git'
                                url:
                                  type: string
                                  description: The URL of a registry.
                                  minLength: 1
                                  maxLength: 2048
                                  pattern: '^[^-\x00-\x20\x7F][^\x00-\x1F\x7F]*$'
                                  x-kubernetes-validations:
                                  - rule: '!self.matches(''^[A-Za-z0-9+.-]*::'')'
                                    message: 'transport helpers such as ext:: are not allowed; use https or ssh'
                                  - rule: '!self.contains(''://'') || self.matches(''^(https?|ssh|file)://'')'
                                    message: the scheme must be https or ssh (http and file only where the operator allows them)
                                  - rule: '!self.matches(''^https?://[^/?#]*@'')'
                                    message: credentials do not belong into the URL; name a Secret in secretRef
                                  - rule: '!self.matches(''^ssh://[^/?#@]*:[^/?#]*@'')'
                                    message: a password does not belong into the URL; name a Secret in secretRef
                              x-kubernetes-validations:
                              - rule: has(self.path) != has(self.url)
                                message: exactly one of path and url must be set
                            tasks:
                              type: array
                              description: Tasks by name.
                              minItems: 1
                              maxItems: 1000
                              x-kubernetes-list-type: map
                              x-kubernetes-list-map-keys:
                              - name
                              items:
                                type: object
                                description: One task.
                                required:
                                - name
                                properties:
                                  name:
                                    type: string
                                    description: The task's name in results.
                                    minLength: 1
                                    maxLength: 253
                                    pattern: '^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$'
                                  repo:
                                    type: string
                                    description: 'The repository that holds the task; omitted: the job''s source.'
                                    minLength: 1
                                    maxLength: 2048
                                    pattern: '^(https?://[^/?#@\x00-\x20\x7F]+([/?#][^\x00-\x20\x7F]*)?|ssh://([^/?#@:\x00-\x20\x7F]+@)?[^/?#@\x00-\x20\x7F]+(/[^\x00-\x20\x7F]*)?|file:///[^\x00-\x1F\x7F]*|[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:\x00-\x1F\x7F][^\x00-\x1F\x7F]*|[./][^\x00-\x1F\x7F]*)$'
                                  ref:
                                    type: string
                                    description: A branch, tag or commit of repo; pinned when the job starts.
                                    minLength: 1
                                    maxLength: 255
                                    pattern: '^[^-/.\x00-\x20\x7F~^:?*\[\\][^\x00-\x20\x7F~^:?*\[\\]*$'
                                    not:
                                      pattern: '[.][.]|@[{]|//|/$|[.]$|[.]lock$'
                                  path:
                                    type: string
                                    description: 'The task''s folder; omitted: its name.'
                                    minLength: 1
                                    maxLength: 1024
                                    pattern: '^([^-/.\x00-\x1F\x7F][^/\x00-\x1F\x7F]*|[.][^/.\x00-\x1F\x7F][^/\x00-\x1F\x7F]*|[.][.][^/\x00-\x1F\x7F]+)(/([^-/.\x00-\x1F\x7F][^/\x00-\x1F\x7F]*|[.][^/.\x00-\x1F\x7F][^/\x00-\x1F\x7F]*|[.][.][^/\x00-\x1F\x7F]+))*/?$'
                                    not:
                                      pattern: (^|/)[.][gG][iI][tT](/|$)
                                x-kubernetes-validations:
                                - rule: '!has(self.ref) || has(self.repo)'
                                  message: 'ref needs repo: a task of the job''s source is read at the job''s commit'
                                  fieldPath: .ref
                            name:
                              type: string
                              description: 'The dataset''s name: of the registry''s entry, or for the records. Omitted for a folder:
                                the folder''s name.'
                              minLength: 1
                              maxLength: 253
                              pattern: '^[A-Za-z0-9]([A-Za-z0-9._/@-]*[A-Za-z0-9])?$'
                            version:
                              type: string
                              description: 'The version of the registry''s entry; omitted: head, then the highest.'
                              minLength: 1
                              maxLength: 128
                            include:
                              type: array
                              description: Only tasks whose name matches one of these globs.
                              maxItems: 100
                              items:
                                type: string
                                description: 'A glob on names of tasks: * and ? do not cross a slash, ** does.'
                                minLength: 1
                                maxLength: 256
                            exclude:
                              type: array
                              description: No task whose name matches one of these globs.
                              maxItems: 100
                              items:
                                type: string
                                description: 'A glob on names of tasks: * and ? do not cross a slash, ** does.'
                                minLength: 1
                                maxLength: 256
                            rewardRule:
                              type: string
                              description: 'How test.sh''s exit code counts: rollout makes a non-zero exit verifier_failed, harbor
                                ignores it. Omitted: rollout, unless the task has a schema_version.'
                              enum:
                              - rollout
                              - harbor
                          x-kubernetes-validations:
                          - rule: '[has(self.path), has(self.registry), has(self.tasks)].filter(given, given).size() == 1'
                            message: exactly one of path, registry and tasks must be set
                          - rule: has(self.path) || has(self.name)
                            message: name is required for a registry and for a list of tasks
                          - rule: '!has(self.version) || has(self.registry)'
                            message: version needs registry
                            fieldPath: .version
                      agents:
                        type: array
                        description: The agents to run on every task, in order.
                        minItems: 1
                        maxItems: 32
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - name
                        items:
                          type: object
                          description: An agent under evaluation.
                          required:
                          - name
                          properties:
                            name:
                              type: string
                              description: 'The agent''s name in results. oracle is reserved: it runs the task''s own solution.'
                              minLength: 1
                              maxLength: 63
                              pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$'
                            description:
                              type: string
                              description: What the agent is, for the records.
                              maxLength: 4096
                            model:
                              type: string
                              description: The model's name, for the records; nothing interprets it.
                              maxLength: 256
                            install:
                              type: string
                              description: A bash script that installs the agent in the trial's container, before the instruction
                                is shown.
                              maxLength: 65536
                            execute:
                              type: string
                              description: A bash script that runs the agent. The instruction is in $ASSAY_TASK_INSTRUCTION and
                                in the file named by instructionPath.
                              maxLength: 65536
                            env:
                              type: array
                              description: Environment of install and execute.
                              maxItems: 64
                              x-kubernetes-list-type: map
                              x-kubernetes-list-map-keys:
                              - name
                              items:
                                type: object
                                description: A variable, with a value or a reference to one.
                                required:
                                - name
                                properties:
                                  name:
                                    type: string
                                    description: The variable's name. Names that begin with ASSAY_ are Assay's own.
                                    minLength: 1
                                    maxLength: 256
                                    pattern: '^[A-Za-z_][A-Za-z0-9_]*$'
                                  value:
                                    type: string
                                    description: The value, in the open. For a secret use valueFrom.
                                    maxLength: 32768
                                  valueFrom:
                                    type: object
                                    description: Where the value comes from.
                                    required:
                                    - secretKeyRef
                                    properties:
                                      secretKeyRef:
                                        type: object
                                        description: One key of a Secret.
                                        required:
                                        - name
                                        - key
                                        properties:
                                          name:
                                            type: string
                                            description: The Secret's name, in the namespace of this object.
                                            minLength: 1
                                            maxLength: 253
                                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                                          key:
                                            type: string
                                            description: The key within the Secret.
                                            minLength: 1
                                            maxLength: 253
                                            pattern: '^[-._a-zA-Z0-9]+$'
                                          optional:
                                            type: boolean
                                            description: Whether the Secret or the key may be missing; the variable is not set then.
                                x-kubernetes-validations:
                                - rule: has(self.value) != has(self.valueFrom)
                                  message: exactly one of value and valueFrom must be set
                                - rule: '!self.name.startsWith(''ASSAY_'')'
                                  message: names that begin with ASSAY_ are reserved
                                  fieldPath: .name
                          x-kubernetes-validations:
                          - rule: self.name != 'oracle' || (!has(self.install) && !has(self.execute))
                            message: the oracle agent runs the task's solution; it takes neither install nor execute
                          - rule: self.name == 'oracle' || has(self.execute)
                            message: execute is required for every agent but oracle
                      attempts:
                        type: integer
                        description: Trials of each agent on each task. A job has agents x tasks x attempts trials, 100000 at most.
                        format: int32
                        minimum: 1
                        maximum: 1000
                        default: 1
                      parallelism:
                        type: integer
                        description: Trials that run at the same time. 0 starts none.
                        format: int32
                        minimum: 0
                        maximum: 1000
                        default: 4
                      timeoutMultiplier:
                        type: number
                        description: Multiplies every timeout of the tasks.
                        minimum: 0
                        exclusiveMinimum: true
                        maximum: 1000
                        default: 1
                      retry:
                        type: object
                        description: When failures of the infrastructure are tried again. Failures of agents and verifiers are outcomes
                          and are not.
                        default: {}
                        properties:
                          maxAttempts:
                            type: integer
                            description: Tries of one trial in all; 1 means no retry.
                            format: int32
                            minimum: 1
                            maximum: 20
                            default: 3
                          initialDelayMs:
                            type: integer
                            description: The wait before the first retry, in milliseconds.
                            format: int32
                            minimum: 0
                            maximum: 3600000
                            default: 1000
                          maxDelayMs:
                            type: integer
                            description: The longest wait, in milliseconds.
                            format: int32
                            minimum: 0
                            maximum: 86400000
                            default: 30000
                          multiplier:
                            type: number
                            description: Each wait is this many times the one before.
                            minimum: 1
                            maximum: 100
                            default: 2
                      instructionPath:
                        type: string
                        description: Where the agent finds the task's instruction, in the trial's container.
                        minLength: 2
                        maxLength: 1024
                        pattern: '^/[^\x00-\x1F\x7F]+$'
                        default: /tmp/instruction.md
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)[.][.](/|$)'')'
                          message: must not contain ..
                      environment:
                        type: object
                        description: The container that trials run in.
                        default: {}
                        properties:
                          image:
                            type: string
                            description: The image for all tasks, over their own.
                            minLength: 1
                            maxLength: 1024
                            pattern: '^[^-\s\x00-\x1F\x7F][^\s\x00-\x1F\x7F]*$'
                          forceBuild:
                            type: boolean
                            description: Whether images are built again though they exist.
                            default: false
                          preserveEnv:
                            type: string
                            description: When the pod of a trial is kept after it was counted.
                            enum:
                            - Never
                            - Always
                            - OnFailure
                            default: Never
                          overrideCPUs:
                            type: number
                            description: CPUs for every trial, over what the tasks ask for.
                            minimum: 0
                            exclusiveMinimum: true
                            maximum: 1024
                          overrideMemoryMB:
                            type: integer
                            description: Memory for every trial, in MiB.
                            format: int32
                            minimum: 1
                            maximum: 16777216
                          overrideStorageMB:
                            type: integer
                            description: Ephemeral storage for every trial, in MiB.
                            format: int32
                            minimum: 1
                            maximum: 16777216
                          network:
                            type: object
                            description: What a trial may reach. What cannot be enforced is refused.
                            default:
                              mode: public
                            properties:
                              mode:
                                type: string
                                description: 'public: everything but the API server and the metadata address; no-network: nothing;
                                  allowlist: allowedHosts.'
                                enum:
                                - public
                                - no-network
                                - allowlist
                                default: public
                              allowedHosts:
                                type: array
                                description: 'Hosts for allowlist: a name, *.name, an address or a CIDR.'
                                maxItems: 100
                                items:
                                  type: string
                                  description: A host.
                                  minLength: 1
                                  maxLength: 253
                                  pattern: '^[^-\s\x00-\x1F\x7F][^\s\x00-\x1F\x7F]*$'
                            x-kubernetes-validations:
                            - rule: (self.mode == 'allowlist') == (has(self.allowedHosts) && size(self.allowedHosts) > 0)
                              message: allowedHosts goes with mode allowlist, and mode allowlist with allowedHosts
                          podTemplate:
                            type: object
                            description: What is added to the pods of this job's trials, over the target's.
                            properties:
                              labels:
                                type: object
                                description: Labels for the pod, beside those that Assay sets.
                                maxProperties: 64
                                additionalProperties:
                                  type: string
                                  description: The value of the label.
                                  maxLength: 63
                                x-kubernetes-validations:
                                - rule: '!self.exists(k, k.startsWith(''assay.dev/''))'
                                  message: keys under assay.dev/ belong to Assay
                              annotations:
                                type: object
                                description: Annotations for the pod.
                                maxProperties: 64
                                additionalProperties:
                                  type: string
                                  description: The value of the annotation.
                                  maxLength: 16384
                                x-kubernetes-validations:
                                - rule: '!self.exists(k, k.startsWith(''assay.dev/''))'
                                  message: keys under assay.dev/ belong to Assay
                              serviceAccountName:
                                type: string
                                description: The pod's ServiceAccount. Its token is never mounted.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                              nodeSelector:
                                type: object
                                description: Labels that a node must have to run the pod.
                                maxProperties: 64
                                additionalProperties:
                                  type: string
                                  description: The value that the node's label must have.
                                  maxLength: 63
                              tolerations:
                                type: array
                                description: Taints that the pod tolerates.
                                maxItems: 32
                                items:
                                  type: object
                                  description: A toleration, as in a pod.
                                  properties:
                                    key:
                                      type: string
                                      description: The taint's key; empty matches every key with operator Exists.
                                      maxLength: 316
                                    operator:
                                      type: string
                                      description: How the value is compared.
                                      enum:
                                      - Exists
                                      - Equal
                                    value:
                                      type: string
                                      description: The taint's value, for Equal.
                                      maxLength: 63
                                    effect:
                                      type: string
                                      description: The taint's effect; empty matches all.
                                      enum:
                                      - ''
                                      - NoSchedule
                                      - PreferNoSchedule
                                      - NoExecute
                                    tolerationSeconds:
                                      type: integer
                                      description: How long NoExecute is tolerated, in seconds.
                                      format: int64
                              affinity:
                                type: object
                                description: Scheduling preferences, passed through to the pod as they are.
                                x-kubernetes-preserve-unknown-fields: true
                              runtimeClassName:
                                type: string
                                description: The RuntimeClass, for example one that runs pods under gVisor.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                              priorityClassName:
                                type: string
                                description: The PriorityClass of the pod.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                              resources:
                                type: object
                                description: Resources of the trial container, over what the task asks for.
                                properties:
                                  requests:
                                    type: object
                                    description: What the container is promised.
                                    maxProperties: 32
                                    additionalProperties:
                                      description: An amount, such as 500m or 2Gi.
                                      x-kubernetes-int-or-string: true
                                      anyOf:
                                      - type: integer
                                      - type: string
                                      maxLength: 64
                                      pattern: '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'
                                  limits:
                                    type: object
                                    description: What the container may use at most.
                                    maxProperties: 32
                                    additionalProperties:
                                      description: An amount, such as 500m or 2Gi.
                                      x-kubernetes-int-or-string: true
                                      anyOf:
                                      - type: integer
                                      - type: string
                                      maxLength: 64
                                      pattern: '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'
                              imagePullSecrets:
                                type: array
                                description: Secrets of this namespace for pulling images.
                                maxItems: 16
                                x-kubernetes-list-type: map
                                x-kubernetes-list-map-keys:
                                - name
                                items:
                                  type: object
                                  description: A Secret.
                                  required:
                                  - name
                                  properties:
                                    name:
                                      type: string
                                      description: The Secret's name.
                                      minLength: 1
                                      maxLength: 253
                                      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      verifier:
                        type: object
                        description: How trials are verified.
                        default: {}
                        properties:
                          overrideTimeoutSec:
                            type: number
                            description: The timeout of every verification in seconds, over the tasks' own.
                            minimum: 0
                            exclusiveMinimum: true
                            maximum: 604800
                          maxTimeoutSec:
                            type: number
                            description: A cap on the timeout in seconds, before timeoutMultiplier.
                            minimum: 0
                            exclusiveMinimum: true
                            maximum: 604800
                          disable:
                            type: boolean
                            description: Whether agents run and nothing is verified.
                            default: false
                          environmentMode:
                            type: string
                            description: 'shared: tests run in the agent''s container; separate: in a fresh one that sees tests
                              and declared artifacts only.'
                            enum:
                            - shared
                            - separate
                            default: shared
                          endAgentProcesses:
                            type: boolean
                            description: Whether what the agent left running is killed before the tests are released. Tasks that
                              verify running services need false.
                            default: false
                      metrics:
                        type: array
                        description: Figures over all rewards of the job.
                        maxItems: 8
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - type
                        items:
                          type: object
                          description: A figure.
                          required:
                          - type
                          properties:
                            type:
                              type: string
                              description: How it is computed.
                              enum:
                              - mean
                              - min
                              - max
                              - sum
                      artifacts:
                        type: object
                        description: Where results go.
                        default:
                          backend: local
                        properties:
                          backend:
                            type: string
                            description: 'git: a branch of a repository that you own; local: the operator''s own volume, or .assay
                              on a laptop.'
                            enum:
                            - local
                            - git
                            default: local
                          git:
                            type: object
                            description: The branch that holds the results.
                            required:
                            - remote
                            properties:
                              remote:
                                type: string
                                description: The URL of the repository.
                                minLength: 1
                                maxLength: 2048
                                pattern: '^[^-\x00-\x20\x7F][^\x00-\x1F\x7F]*$'
                                x-kubernetes-validations:
                                - rule: '!self.matches(''^[A-Za-z0-9+.-]*::'')'
                                  message: 'transport helpers such as ext:: are not allowed; use https or ssh'
                                - rule: '!self.contains(''://'') || self.matches(''^(https?|ssh|file)://'')'
                                  message: the scheme must be https or ssh (http and file only where the operator allows them)
                                - rule: '!self.matches(''^https?://[^/?#]*@'')'
                                  message: credentials do not belong into the URL; name a Secret in secretRef
                                - rule: '!self.matches(''^ssh://[^/?#@]*:[^/?#]*@'')'
                                  message: a password does not belong into the URL; name a Secret in secretRef
                              branch:
                                type: string
                                description: 'The branch: used when it exists, created as an orphan when it is missing
                                  (refused for the remote''s default branch).'
                                minLength: 1
                                maxLength: 255
                                pattern: '^[^-/.\x00-\x20\x7F~^:?*\[\\][^\x00-\x20\x7F~^:?*\[\\]*$'
                                default: assay/runs/v1
                                x-kubernetes-validations:
                                - rule: '!self.contains(''..'') && !self.contains(''@{'') && !self.contains(''//'') && !self.endsWith(''/'')
                                    && !self.endsWith(''.'') && !self.endsWith(''.lock'')'
                                  message: must be the name of a branch or tag, or a commit
                              path:
                                type: string
                                description: 'A folder within the branch; omitted: its root.'
                                maxLength: 1024
                                pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                                minLength: 1
                                x-kubernetes-validations:
                                - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                  message: 'must stay within its folder: no component may be .. or .git'
                              secretRef:
                                type: object
                                description: 'Credentials for pushing: a Secret with token, or username and password, or ssh-privatekey
                                  and known_hosts.'
                                required:
                                - name
                                properties:
                                  name:
                                    type: string
                                    description: The Secret's name, in the namespace of this object.
                                    minLength: 1
                                    maxLength: 253
                                    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                        x-kubernetes-validations:
                        - rule: self.backend != 'git' || has(self.git)
                          message: backend git needs git.remote
                          fieldPath: .git
                          reason: FieldValueRequired
                      suspend:
                        type: boolean
                        description: While true no new trial is started; running ones finish.
                        default: false
                      cancel:
                        type: boolean
                        description: 'Ends the job: running trials are stopped and recorded as cancelled. It cannot be taken back.'
                        default: false
                      activeDeadlineSeconds:
                        type: integer
                        description: The job is cancelled when it has run for this long, in seconds; ten years at most.
                        format: int64
                        minimum: 1
                        maximum: 315360000
                      ttlSecondsAfterFinished:
                        type: integer
                        description: The object is deleted this long after the job ended and its results were pushed, in seconds; ten years at most.
                        format: int64
                        minimum: 0
                        maximum: 315360000
                    x-kubernetes-validations:
                    - rule: '!oldSelf.cancel || self.cancel'
                      message: a cancelled job cannot be taken up again; create another EvalJob
                      fieldPath: .cancel
                      reason: FieldValueForbidden
                  status:
                    type: object
                    description: 'What is known of the job. Bounded: no list grows with the number of trials.'
                    properties:
                      observedGeneration:
                        type: integer
                        description: The generation of the spec that this status is about.
                        format: int64
                      phase:
                        type: string
                        description: Where the job stands, in one word.
                        enum:
                        - Pending
                        - Preparing
                        - Running
                        - Suspended
                        - Cancelled
                        - Succeeded
                        - Failed
                      conditions:
                        type: array
                        description: 'What is known about the object, one entry a type: Ready, Stalled, SourceReady, TargetReady,
                          OverlaysReady, ArtifactsReady, Complete, Failed.'
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - type
                        items:
                          type: object
                          description: One statement about the object.
                          required:
                          - type
                          - status
                          properties:
                            type:
                              type: string
                              description: What the statement is about.
                            status:
                              type: string
                              description: Whether it holds.
                              enum:
                              - 'True'
                              - 'False'
                              - Unknown
                            reason:
                              type: string
                              description: Why, in one word for programs.
                            message:
                              type: string
                              description: Why, in words; where a user has to act, what to change.
                            lastTransitionTime:
                              type: string
                              description: When the status last changed.
                              format: date-time
                            observedGeneration:
                              type: integer
                              description: The generation of the spec that the statement is about.
                              format: int64
                      source:
                        type: object
                        description: What the source was pinned to.
                        properties:
                          commit:
                            type: string
                            description: The commit that every trial runs.
                      overlays:
                        type: array
                        description: What the overlays were pinned to, in order.
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - name
                        items:
                          type: object
                          description: One overlay.
                          required:
                          - name
                          properties:
                            name:
                              type: string
                              description: The OverlaySource's name.
                            revision:
                              type: string
                              description: The commit that every trial gets.
                      trials:
                        type: object
                        description: The count. Every trial has an index; an index is counted once.
                        properties:
                          total:
                            type: integer
                            description: Trials of the job.
                            format: int32
                          pending:
                            type: integer
                            description: Trials that are not started.
                            format: int32
                          running:
                            type: integer
                            description: Trials that have a pod.
                            format: int32
                          completed:
                            type: integer
                            description: Trials with a verdict.
                            format: int32
                          failed:
                            type: integer
                            description: Trials with an error, infrastructure failures included.
                            format: int32
                          infrastructure:
                            type: integer
                            description: 'Of failed: those that are not the agent''s doing.'
                            format: int32
                          skipped:
                            type: integer
                            description: Trials that were not run, because the job was cancelled.
                            format: int32
                          progress:
                            type: string
                            description: Counted trials of all, as 41/60.
                          completedIndexes:
                            type: string
                            description: The indexes with a verdict, as 0-41,43.
                          failedIndexes:
                            type: string
                            description: The indexes with an error, as 0-41,43.
                          skippedIndexes:
                            type: string
                            description: The indexes that were not run, as 0-41,43.
                      metrics:
                        type: object
                        description: Figures over all agents.
                        properties:
                          passRate:
                            type: number
                            description: 'Passes divided by (total - infrastructure failures - skipped): an agent that times out
                              does not raise it.'
                          meanReward:
                            type: number
                            description: The mean of the rewards there are.
                          passes:
                            type: integer
                            description: Trials with the full reward.
                            format: int32
                          rewards:
                            type: integer
                            description: How many rewards there are.
                            format: int32
                          rewardSum:
                            type: number
                            description: The sum of the rewards.
                          rewardMin:
                            type: number
                            description: The lowest reward.
                          rewardMax:
                            type: number
                            description: The highest reward.
                      agents:
                        type: array
                        description: Figures of each agent, in the order of the spec.
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - name
                        items:
                          type: object
                          description: One agent's figures.
                          required:
                          - name
                          properties:
                            name:
                              type: string
                              description: The agent's name.
                            completed:
                              type: integer
                              description: Trials with a verdict.
                              format: int32
                            failed:
                              type: integer
                              description: Trials with an error, infrastructure failures included.
                              format: int32
                            infrastructure:
                              type: integer
                              description: 'Of failed: those that are not the agent''s doing.'
                              format: int32
                            skipped:
                              type: integer
                              description: Trials that were not run.
                              format: int32
                            metrics:
                              type: object
                              description: The agent's figures.
                              properties:
                                passRate:
                                  type: number
                                  description: 'Passes divided by (total - infrastructure failures - skipped): an agent that times
                                    out does not raise it.'
                                meanReward:
                                  type: number
                                  description: The mean of the rewards there are.
                                passes:
                                  type: integer
                                  description: Trials with the full reward.
                                  format: int32
                                rewards:
                                  type: integer
                                  description: How many rewards there are.
                                  format: int32
                                rewardSum:
                                  type: number
                                  description: The sum of the rewards.
                                rewardMin:
                                  type: number
                                  description: The lowest reward.
                                rewardMax:
                                  type: number
                                  description: The highest reward.
                            cost:
                              type: number
                              description: The sum of the known costs, in US dollars.
                            tokens:
                              type: object
                              description: The sum of the tokens that agents say they used.
                              properties:
                                prompt:
                                  type: integer
                                  description: Tokens that models read.
                                  format: int64
                                completion:
                                  type: integer
                                  description: Tokens that models wrote.
                                  format: int64
                                cached:
                                  type: integer
                                  description: Those of prompt that came from a cache.
                                  format: int64
                      cost:
                        type: number
                        description: The sum of the known costs, in US dollars.
                      tokens:
                        type: object
                        description: The sum of the tokens that agents say they used.
                        properties:
                          prompt:
                            type: integer
                            description: Tokens that models read.
                            format: int64
                          completion:
                            type: integer
                            description: Tokens that models wrote.
                            format: int64
                          cached:
                            type: integer
                            description: Those of prompt that came from a cache.
                            format: int64
                      artifacts:
                        type: object
                        description: Where the results are.
                        properties:
                          branch:
                            type: string
                            description: The branch that holds them.
                          head:
                            type: string
                            description: The branch's tip after the last push.
                          runs:
                            type: integer
                            description: Runs of this job on the branch.
                            format: int32
                          pending:
                            type: integer
                            description: Runs that are kept locally and not pushed yet.
                            format: int32
                      startTime:
                        type: string
                        description: When the first trial could start.
                        format: date-time
                      completionTime:
                        type: string
                        description: When the job ended.
                        format: date-time
                x-kubernetes-validations:
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.source == oldSelf.spec.source'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.source
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.datasets == oldSelf.spec.datasets'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.datasets
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.agents == oldSelf.spec.agents'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.agents
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.attempts == oldSelf.spec.attempts'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.attempts
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.timeoutMultiplier == oldSelf.spec.timeoutMultiplier'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.timeoutMultiplier
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.instructionPath == oldSelf.spec.instructionPath'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.instructionPath
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.environment == oldSelf.spec.environment'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.environment
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.verifier == oldSelf.spec.verifier'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.verifier
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || self.spec.artifacts == oldSelf.spec.artifacts'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.artifacts
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || (has(self.spec.targetRef) == has(oldSelf.spec.targetRef) && (!has(self.spec.targetRef) || self.spec.targetRef
                    == oldSelf.spec.targetRef))'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.targetRef
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || (has(self.spec.overlays) == has(oldSelf.spec.overlays) && (!has(self.spec.overlays) || self.spec.overlays
                    == oldSelf.spec.overlays))'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.overlays
                  reason: FieldValueForbidden
                - rule: '!(has(oldSelf.status) && has(oldSelf.status.trials) && has(oldSelf.status.trials.total) && oldSelf.status.trials.total
                    > 0) || (has(self.spec.metrics) == has(oldSelf.spec.metrics) && (!has(self.spec.metrics) || self.spec.metrics
                    == oldSelf.spec.metrics))'
                  message: is fixed once trials exist; to measure something else, create another EvalJob
                  fieldPath: .spec.metrics
                  reason: FieldValueForbidden
        """##

    public static let evalTargets = ##"""
        # EvalTarget: where trials run.
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: evaltargets.assay.dev
          labels:
            app.kubernetes.io/name: assay
        spec:
          group: assay.dev
          scope: Namespaced
          names:
            kind: EvalTarget
            listKind: EvalTargetList
            plural: evaltargets
            singular: evaltarget
            shortNames:
            - et
            categories:
            - assay
          versions:
          - name: v1alpha1
            served: true
            storage: true
            subresources:
              status: {}
            additionalPrinterColumns:
            - name: Type
              type: string
              description: The kind of place.
              jsonPath: .spec.type
            - name: Sync
              type: string
              description: How the benchmark gets there.
              jsonPath: .spec.sync
            - name: Ready
              type: string
              description: Whether trials can run.
              jsonPath: .status.conditions[?(@.type=="Ready")].status
            - name: Active
              type: integer
              description: Trials that run on the target.
              jsonPath: .status.activeTrials
            - name: Age
              type: date
              description: When the object was created.
              jsonPath: .metadata.creationTimestamp
            schema:
              openAPIV3Schema:
                type: object
                description: A place where trials run. The same EvalJob runs on any of them.
                required:
                - spec
                properties:
                  apiVersion:
                    type: string
                    description: The version of the schema that this object is written in.
                  kind:
                    type: string
                    description: 'The kind of the object: EvalTarget.'
                  metadata:
                    type: object
                  spec:
                    type: object
                    description: Where trials run, and how the benchmark gets there.
                    properties:
                      type:
                        type: string
                        description: 'cluster: pods of this cluster; local: the machine of assay run; ci: a CI runner; vm: a long-lived
                          machine. gha-runner means ci, azure-vm means vm.'
                        enum:
                        - cluster
                        - local
                        - ci
                        - vm
                        - gha-runner
                        - azure-vm
                        default: cluster
                      sync:
                        type: string
                        description: 'noop: what is at workdir is used; oneshot: the pinned commit is fetched once; continuous:
                          a mirror is kept fresh.'
                        enum:
                        - noop
                        - oneshot
                        - continuous
                        default: oneshot
                      syncOptions:
                        type: object
                        description: What is fetched, and how often.
                        properties:
                          mode:
                            type: string
                            description: 'shallow: one commit; full: all history; sparse: one commit, and of it only sparsePaths.'
                            enum:
                            - shallow
                            - full
                            - sparse
                            default: shallow
                          sparsePaths:
                            type: array
                            description: Folders for mode sparse.
                            maxItems: 100
                            x-kubernetes-list-type: set
                            items:
                              type: string
                              description: A folder of the repository.
                              maxLength: 1024
                              pattern: '^[^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$'
                              minLength: 1
                              x-kubernetes-validations:
                              - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                                message: 'must stay within its folder: no component may be .. or .git'
                          refreshInterval:
                            type: string
                            description: How often continuous looks for changes.
                            maxLength: 32
                            pattern: '^([0-9]+([.][0-9]+)?(ms|s|m|h))+$'
                            default: 60s
                        x-kubernetes-validations:
                        - rule: (self.mode == 'sparse') == (has(self.sparsePaths) && size(self.sparsePaths) > 0)
                          message: sparsePaths goes with mode sparse, and mode sparse with sparsePaths
                      workdir:
                        type: string
                        description: 'local and vm: where the benchmark is, or is kept.'
                        minLength: 2
                        maxLength: 1024
                        pattern: '^/[^\x00-\x1F\x7F]+$'
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)[.][.](/|$)'')'
                          message: must not contain ..
                      host:
                        type: object
                        description: 'vm: the machine.'
                        required:
                        - address
                        properties:
                          address:
                            type: string
                            description: A host name or an address.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*$'
                          user:
                            type: string
                            description: The user to log in as.
                            minLength: 1
                            maxLength: 64
                            pattern: '^[A-Za-z_][A-Za-z0-9_.-]*$'
                          port:
                            type: integer
                            description: The port of sshd.
                            format: int32
                            minimum: 1
                            maximum: 65535
                            default: 22
                          sshSecretRef:
                            type: object
                            description: A Secret with ssh-privatekey.
                            required:
                            - name
                            properties:
                              name:
                                type: string
                                description: The Secret's name, in the namespace of this object.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                          knownHostsRef:
                            type: object
                            description: A ConfigMap with known_hosts. Without one nothing is connected to.
                            required:
                            - name
                            properties:
                              name:
                                type: string
                                description: The ConfigMap's name, in the namespace of this object.
                                minLength: 1
                                maxLength: 253
                                pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      image:
                        type: object
                        description: Images for tasks.
                        properties:
                          default:
                            type: string
                            description: The image for tasks that name none.
                            minLength: 1
                            maxLength: 1024
                            pattern: '^[^-\s\x00-\x1F\x7F][^\s\x00-\x1F\x7F]*$'
                          build:
                            type: object
                            description: How images are built from a task's Dockerfile.
                            properties:
                              registry:
                                type: string
                                description: Where built images are pushed to.
                                minLength: 1
                                maxLength: 512
                                pattern: '^[^-\s\x00-\x1F\x7F][^\s\x00-\x1F\x7F]*$'
                              builderImage:
                                type: string
                                description: The image that builds.
                                minLength: 1
                                maxLength: 1024
                                pattern: '^[^-\s\x00-\x1F\x7F][^\s\x00-\x1F\x7F]*$'
                              pushSecretRef:
                                type: object
                                description: A Secret of type kubernetes.io/dockerconfigjson for pushing.
                                required:
                                - name
                                properties:
                                  name:
                                    type: string
                                    description: The Secret's name, in the namespace of this object.
                                    minLength: 1
                                    maxLength: 253
                                    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      podTemplate:
                        type: object
                        description: What is added to the pods of trials on this target.
                        properties:
                          labels:
                            type: object
                            description: Labels for the pod, beside those that Assay sets.
                            maxProperties: 64
                            additionalProperties:
                              type: string
                              description: The value of the label.
                              maxLength: 63
                            x-kubernetes-validations:
                            - rule: '!self.exists(k, k.startsWith(''assay.dev/''))'
                              message: keys under assay.dev/ belong to Assay
                          annotations:
                            type: object
                            description: Annotations for the pod.
                            maxProperties: 64
                            additionalProperties:
                              type: string
                              description: The value of the annotation.
                              maxLength: 16384
                            x-kubernetes-validations:
                            - rule: '!self.exists(k, k.startsWith(''assay.dev/''))'
                              message: keys under assay.dev/ belong to Assay
                          serviceAccountName:
                            type: string
                            description: The pod's ServiceAccount. Its token is never mounted.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                          nodeSelector:
                            type: object
                            description: Labels that a node must have to run the pod.
                            maxProperties: 64
                            additionalProperties:
                              type: string
                              description: The value that the node's label must have.
                              maxLength: 63
                          tolerations:
                            type: array
                            description: Taints that the pod tolerates.
                            maxItems: 32
                            items:
                              type: object
                              description: A toleration, as in a pod.
                              properties:
                                key:
                                  type: string
                                  description: The taint's key; empty matches every key with operator Exists.
                                  maxLength: 316
                                operator:
                                  type: string
                                  description: How the value is compared.
                                  enum:
                                  - Exists
                                  - Equal
                                value:
                                  type: string
                                  description: The taint's value, for Equal.
                                  maxLength: 63
                                effect:
                                  type: string
                                  description: The taint's effect; empty matches all.
                                  enum:
                                  - ''
                                  - NoSchedule
                                  - PreferNoSchedule
                                  - NoExecute
                                tolerationSeconds:
                                  type: integer
                                  description: How long NoExecute is tolerated, in seconds.
                                  format: int64
                          affinity:
                            type: object
                            description: Scheduling preferences, passed through to the pod as they are.
                            x-kubernetes-preserve-unknown-fields: true
                          runtimeClassName:
                            type: string
                            description: The RuntimeClass, for example one that runs pods under gVisor.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                          priorityClassName:
                            type: string
                            description: The PriorityClass of the pod.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                          resources:
                            type: object
                            description: Resources of the trial container, over what the task asks for.
                            properties:
                              requests:
                                type: object
                                description: What the container is promised.
                                maxProperties: 32
                                additionalProperties:
                                  description: An amount, such as 500m or 2Gi.
                                  x-kubernetes-int-or-string: true
                                  anyOf:
                                  - type: integer
                                  - type: string
                                  maxLength: 64
                                  pattern: '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'
                              limits:
                                type: object
                                description: What the container may use at most.
                                maxProperties: 32
                                additionalProperties:
                                  description: An amount, such as 500m or 2Gi.
                                  x-kubernetes-int-or-string: true
                                  anyOf:
                                  - type: integer
                                  - type: string
                                  maxLength: 64
                                  pattern: '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'
                          imagePullSecrets:
                            type: array
                            description: Secrets of this namespace for pulling images.
                            maxItems: 16
                            x-kubernetes-list-type: map
                            x-kubernetes-list-map-keys:
                            - name
                            items:
                              type: object
                              description: A Secret.
                              required:
                              - name
                              properties:
                                name:
                                  type: string
                                  description: The Secret's name.
                                  minLength: 1
                                  maxLength: 253
                                  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      maxConcurrentTrials:
                        type: integer
                        description: 'Trials of all jobs that run on the target at the same time; 0: no limit of its own.'
                        format: int32
                        minimum: 0
                        maximum: 100000
                        default: 0
                      cost:
                        type: object
                        description: Prices, for the cost of trials.
                        properties:
                          cpuHour:
                            type: number
                            description: One CPU for one hour, in US dollars.
                            minimum: 0
                            maximum: 1000000
                          memoryGiBHour:
                            type: number
                            description: One GiB of memory for one hour, in US dollars.
                            minimum: 0
                            maximum: 1000000
                    x-kubernetes-validations:
                    - rule: '!(self.type in [''vm'', ''azure-vm'']) || has(self.host)'
                      message: a target of type vm needs host
                      fieldPath: .host
                      reason: FieldValueRequired
                    - rule: '!has(self.host) || self.type in [''vm'', ''azure-vm'']'
                      message: host goes with type vm only
                      fieldPath: .host
                    - rule: self.sync != 'noop' || has(self.workdir)
                      message: sync noop uses what is at workdir; name it
                      fieldPath: .workdir
                      reason: FieldValueRequired
                    - rule: '!has(self.workdir) || self.type in [''local'', ''vm'', ''azure-vm'']'
                      message: workdir goes with types local and vm only
                      fieldPath: .workdir
                    - rule: self.sync != 'continuous' || self.type in ['cluster', 'vm', 'azure-vm']
                      message: 'sync continuous needs a target that stays: cluster or vm'
                      fieldPath: .sync
                  status:
                    type: object
                    description: What is known of the target.
                    properties:
                      observedGeneration:
                        type: integer
                        description: The generation of the spec that this status is about.
                        format: int64
                      conditions:
                        type: array
                        description: 'What is known about the object, one entry a type: Ready, Preflight.'
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - type
                        items:
                          type: object
                          description: One statement about the object.
                          required:
                          - type
                          - status
                          properties:
                            type:
                              type: string
                              description: What the statement is about.
                            status:
                              type: string
                              description: Whether it holds.
                              enum:
                              - 'True'
                              - 'False'
                              - Unknown
                            reason:
                              type: string
                              description: Why, in one word for programs.
                            message:
                              type: string
                              description: Why, in words; where a user has to act, what to change.
                            lastTransitionTime:
                              type: string
                              description: When the status last changed.
                              format: date-time
                            observedGeneration:
                              type: integer
                              description: The generation of the spec that the statement is about.
                              format: int64
                      dependencies:
                        type: array
                        description: Programs that the target needs.
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - name
                        items:
                          type: object
                          description: One program.
                          required:
                          - name
                          properties:
                            name:
                              type: string
                              description: The program's name.
                            version:
                              type: string
                              description: Its version.
                            path:
                              type: string
                              description: Where it was found.
                            found:
                              type: boolean
                              description: Whether it was found.
                      syncedCommit:
                        type: string
                        description: The commit that is on the target.
                      lastSyncTime:
                        type: string
                        description: When it got there.
                        format: date-time
                      activeTrials:
                        type: integer
                        description: Trials that run on the target.
                        format: int32
        """##

    public static let overlaySources = ##"""
        # OverlaySource: tools, workflows and skills that are laid over trials.
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: overlaysources.assay.dev
          labels:
            app.kubernetes.io/name: assay
        spec:
          group: assay.dev
          scope: Namespaced
          names:
            kind: OverlaySource
            listKind: OverlaySourceList
            plural: overlaysources
            singular: overlaysource
            shortNames:
            - ovs
            categories:
            - assay
          versions:
          - name: v1alpha1
            served: true
            storage: true
            subresources:
              status: {}
            additionalPrinterColumns:
            - name: Repo
              type: string
              description: The repository.
              jsonPath: .spec.repo
            - name: Order
              type: integer
              description: The place among overlays.
              jsonPath: .spec.order
            - name: Revision
              type: string
              description: The commit that new jobs get.
              jsonPath: .status.revision
            - name: Ready
              type: string
              description: Whether it can be used.
              jsonPath: .status.conditions[?(@.type=="Ready")].status
            - name: Age
              type: date
              description: When the object was created.
              jsonPath: .metadata.creationTimestamp
            schema:
              openAPIV3Schema:
                type: object
                description: A git repository of tools, workflows and skills that is laid over trials.
                required:
                - spec
                properties:
                  apiVersion:
                    type: string
                    description: The version of the schema that this object is written in.
                  kind:
                    type: string
                    description: 'The kind of the object: OverlaySource.'
                  metadata:
                    type: object
                  spec:
                    type: object
                    description: A repository of tools, workflows and skills.
                    required:
                    - repo
                    properties:
                      repo:
                        type: string
                        description: 'The repository: a URL, or owner/name on GitHub.'
                        minLength: 1
                        maxLength: 2048
                        pattern: '^[^-\x00-\x20\x7F][^\x00-\x1F\x7F]*$'
                        x-kubernetes-validations:
                        - rule: '!self.matches(''^[A-Za-z0-9+.-]*::'')'
                          message: 'transport helpers such as ext:: are not allowed; use https or ssh'
                        - rule: '!self.contains(''://'') || self.matches(''^(https?|ssh|file)://'')'
                          message: the scheme must be https or ssh (http and file only where the operator allows them)
                        - rule: '!self.matches(''^https?://[^/?#]*@'')'
                          message: credentials do not belong into the URL; name a Secret in secretRef
                        - rule: '!self.matches(''^ssh://[^/?#@]*:[^/?#]*@'')'
                          message: a password does not belong into the URL; name a Secret in secretRef
                      ref:
                        type: string
                        description: 'A branch, tag or commit. Omitted: the default branch.'
                        minLength: 1
                        maxLength: 255
                        pattern: '^[^-/.\x00-\x20\x7F~^:?*\[\\][^\x00-\x20\x7F~^:?*\[\\]*$'
                        x-kubernetes-validations:
                        - rule: '!self.contains(''..'') && !self.contains(''@{'') && !self.contains(''//'') && !self.endsWith(''/'')
                            && !self.endsWith(''.'') && !self.endsWith(''.lock'')'
                          message: must be the name of a branch or tag, or a commit
                      order:
                        type: integer
                        description: Overlays are laid in ascending order; later ones shadow earlier ones by name.
                        format: int32
                        minimum: -1000000
                        maximum: 1000000
                        default: 0
                      toolsSubdir:
                        type: string
                        description: 'The folder of tools. Skipped when the repository lacks it; empty: disabled.'
                        maxLength: 1024
                        pattern: '^([^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$'
                        default: tools
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                          message: 'must stay within its folder: no component may be .. or .git'
                      workflowsSubdir:
                        type: string
                        description: 'The folder of workflows. Skipped when the repository lacks it; empty: disabled.'
                        maxLength: 1024
                        pattern: '^([^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$'
                        default: workflows
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                          message: 'must stay within its folder: no component may be .. or .git'
                      skillsSubdir:
                        type: string
                        description: 'The folder of skills, one subfolder each. Skipped when the repository lacks it; empty: disabled.'
                        maxLength: 1024
                        pattern: '^([^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$'
                        default: .agents/skills
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                          message: 'must stay within its folder: no component may be .. or .git'
                      promptPath:
                        type: string
                        description: 'A file that is the system prompt of agents. Omitted or empty: none.'
                        maxLength: 1024
                        pattern: '^([^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$'
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                          message: 'must stay within its folder: no component may be .. or .git'
                      personasSubdir:
                        type: string
                        description: 'The folder of personas. Omitted or empty: none.'
                        maxLength: 1024
                        pattern: '^([^-/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$'
                        x-kubernetes-validations:
                        - rule: '!self.matches(''(^|/)([.][.]|[.][gG][iI][tT])(/|$)'')'
                          message: 'must stay within its folder: no component may be .. or .git'
                      secretRef:
                        type: object
                        description: 'Credentials: a Secret with token, or username and password, or ssh-privatekey and known_hosts.'
                        required:
                        - name
                        properties:
                          name:
                            type: string
                            description: The Secret's name, in the namespace of this object.
                            minLength: 1
                            maxLength: 253
                            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
                      interval:
                        type: string
                        description: How often the repository is looked at.
                        maxLength: 32
                        pattern: '^([0-9]+([.][0-9]+)?(ms|s|m|h))+$'
                        default: 60s
                      suspend:
                        type: boolean
                        description: While true the repository is not looked at; jobs get the last revision.
                        default: false
                  status:
                    type: object
                    description: What is known of the overlay.
                    properties:
                      observedGeneration:
                        type: integer
                        description: The generation of the spec that this status is about.
                        format: int64
                      conditions:
                        type: array
                        description: 'What is known about the object, one entry a type: Ready.'
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys:
                        - type
                        items:
                          type: object
                          description: One statement about the object.
                          required:
                          - type
                          - status
                          properties:
                            type:
                              type: string
                              description: What the statement is about.
                            status:
                              type: string
                              description: Whether it holds.
                              enum:
                              - 'True'
                              - 'False'
                              - Unknown
                            reason:
                              type: string
                              description: Why, in one word for programs.
                            message:
                              type: string
                              description: Why, in words; where a user has to act, what to change.
                            lastTransitionTime:
                              type: string
                              description: When the status last changed.
                              format: date-time
                            observedGeneration:
                              type: integer
                              description: The generation of the spec that the statement is about.
                              format: int64
                      revision:
                        type: string
                        description: The commit that new jobs get.
                      lastSyncTime:
                        type: string
                        description: When the repository was last looked at.
                        format: date-time
                      tools:
                        type: array
                        description: The tools that it has.
                        items:
                          type: string
                          description: A tool's name.
                      workflows:
                        type: array
                        description: The workflows that it has.
                        items:
                          type: string
                          description: A workflow's name.
                      skills:
                        type: array
                        description: The skills that it has.
                        items:
                          type: string
                          description: A skill's name.
                      shadows:
                        type: array
                        description: What of earlier overlays it shadows.
                        items:
                          type: string
                          description: The kind and name of what is shadowed, with the overlay that has it.
        """##
}
