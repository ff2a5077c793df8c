extension BuiltinTypes {
    /// core/v1: a pod and its containers.
    static let podTypes = """
        package io.k8s.api.core.v1
        Pod
          kind string
          apiVersion string
          metadata ObjectMeta
          spec PodSpec
          status PodStatus
        PodTemplateSpec
          metadata ObjectMeta
          spec PodSpec
        PodSpec
          volumes []Volume map=name merge=name
          initContainers []Container map=name merge=name
          containers []Container! map=name merge=name
          ephemeralContainers []EphemeralContainer map=name merge=name
          restartPolicy string
          terminationGracePeriodSeconds *int64
          activeDeadlineSeconds *int64
          dnsPolicy string
          nodeSelector map[string]
          serviceAccountName string
          serviceAccount string
          automountServiceAccountToken *bool
          nodeName string
          hostNetwork bool
          hostPID bool
          hostIPC bool
          shareProcessNamespace *bool
          securityContext PodSecurityContext
          imagePullSecrets []LocalObjectReference map=name merge=name
          hostname string
          subdomain string
          affinity any
          schedulerName string
          tolerations []Toleration
          hostAliases []HostAlias map=ip merge=ip
          priorityClassName string
          priority *int32
          dnsConfig any
          readinessGates []any
          runtimeClassName *string
          enableServiceLinks *bool
          preemptionPolicy *string
          overhead map[quantity]
          topologySpreadConstraints []any
          setHostnameAsFQDN *bool
          os any
          hostUsers *bool
          schedulingGates []any
          resourceClaims []any
          resources ResourceRequirements
          hostnameOverride *string
        HostAlias
          ip string!
          hostnames []string
        LocalObjectReference
          name string
        Toleration
          key string
          operator string
          value string
          effect string
          tolerationSeconds *int64
        PodSecurityContext
          seLinuxOptions any
          windowsOptions any
          runAsUser *int64
          runAsGroup *int64
          runAsNonRoot *bool
          supplementalGroups []int64
          supplementalGroupsPolicy *string
          fsGroup *int64
          sysctls []any
          fsGroupChangePolicy *string
          seccompProfile any
          appArmorProfile any
          seLinuxChangePolicy *string
        SecurityContext
          capabilities Capabilities
          privileged *bool
          seLinuxOptions any
          windowsOptions any
          runAsUser *int64
          runAsGroup *int64
          runAsNonRoot *bool
          readOnlyRootFilesystem *bool
          allowPrivilegeEscalation *bool
          procMount *string
          seccompProfile any
          appArmorProfile any
        Capabilities
          add []string
          drop []string
        Container
          name string!
          image string
          command []string
          args []string
          workingDir string
          ports []ContainerPort map=containerPort,protocol merge=containerPort
          envFrom []EnvFromSource
          env []EnvVar map=name merge=name
          resources ResourceRequirements
          resizePolicy []any
          restartPolicy *string
          restartPolicyRules []any
          volumeMounts []VolumeMount map=mountPath merge=mountPath
          volumeDevices []any
          livenessProbe Probe
          readinessProbe Probe
          startupProbe Probe
          lifecycle any
          terminationMessagePath string
          terminationMessagePolicy string
          imagePullPolicy string
          securityContext SecurityContext
          stdin bool
          stdinOnce bool
          tty bool
        EphemeralContainer
          name string!
          image string
          command []string
          args []string
          workingDir string
          env []EnvVar map=name merge=name
          envFrom []EnvFromSource
          resources ResourceRequirements
          volumeMounts []VolumeMount map=mountPath merge=mountPath
          terminationMessagePath string
          terminationMessagePolicy string
          imagePullPolicy string
          securityContext SecurityContext
          stdin bool
          stdinOnce bool
          tty bool
          targetContainerName string
        ContainerPort
          name string
          hostPort int32
          containerPort int32!
          protocol string
          hostIP string
        EnvVar
          name string!
          value string
          valueFrom EnvVarSource
        EnvVarSource
          fieldRef ObjectFieldSelector
          resourceFieldRef ResourceFieldSelector
          configMapKeyRef KeySelector
          secretKeyRef KeySelector
          fileKeyRef any
        ObjectFieldSelector atomic
          apiVersion string
          fieldPath string!
        ResourceFieldSelector atomic
          containerName string
          resource string!
          divisor quantity
        KeySelector atomic
          name string
          key string!
          optional *bool
        EnvFromSource
          prefix string
          configMapRef OptionalReference
          secretRef OptionalReference
        OptionalReference
          name string
          optional *bool
        ResourceRequirements
          limits map[quantity]
          requests map[quantity]
          claims []any
        VolumeMount
          name string!
          readOnly bool
          recursiveReadOnly *string
          mountPath string!
          subPath string
          mountPropagation *string
          subPathExpr string
        Probe
          exec ExecAction
          httpGet any
          tcpSocket any
          grpc any
          initialDelaySeconds int32
          timeoutSeconds int32
          periodSeconds int32
          successThreshold int32
          failureThreshold int32
          terminationGracePeriodSeconds *int64
        ExecAction
          command []string
        """
}
