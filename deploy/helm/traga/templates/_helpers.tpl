{{- define "traga.labels" -}}
app.kubernetes.io/name: traga
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "traga.selector" -}}
app.kubernetes.io/name: traga
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The configuration file; with the reactions where .reactions says so, and of the node that keeps a cluster's ledger where .keeper does. */}}
{{- define "traga.config" -}}
data: /data
keys: /keys
listen: 0.0.0.0:8080
behind-proxy: true
{{- if and .keeper .root.Values.store.secret }}
ledger: true
{{- end }}
{{- if .root.Values.settings }}
{{ toYaml .root.Values.settings }}
{{- end }}
{{- if .reactions }}
reactions:
{{ toYaml .root.Values.reactions | indent 2 }}
{{- end }}
{{- end -}}

{{/* The nodes: .name, .replicas, .config (the ConfigMap's key), .front (whether the Service leads to them). */}}
{{- define "traga.nodes" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  labels:
    {{- include "traga.labels" .root | nindent 4 }}
spec:
  serviceName: {{ .root.Release.Name }}-nodes
  replicas: {{ .replicas }}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "traga.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "traga.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
      annotations:
        checksum/config: {{ include "traga.config" (dict "root" .root "reactions" .reactions "keeper" (eq .component "keeper")) | sha256sum }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: traga
          image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [serve, --config, /etc/traga/traga.yaml]
          env:
            # Browsers ask for the host, programs in the cluster for the service, Prometheus for the pod.
            - name: POD_IP
              valueFrom: {fieldRef: {fieldPath: status.podIP}}
            - name: TRAGA_HOSTS
              value: {{ printf "%s,%s,%s.%s.svc,$(POD_IP)" .root.Values.host .root.Release.Name .root.Release.Name .root.Release.Namespace | quote }}
            {{- if .root.Values.store.secret }}
            - {name: TRAGA_STORE_FILE, value: /run/traga/store/url}
            {{- end }}
            {{- if .root.Values.metrics.tokenSecret }}
            - {name: TRAGA_METRICS_TOKEN_FILE, value: /run/traga/metrics/token}
            {{- end }}
            {{- range .root.Values.secretSettings }}
            - {name: {{ .name }}, value: {{ printf "/run/traga/%s/%s" .name .key }}}
            {{- end }}
          ports:
            - {name: http, containerPort: 8080}
          # Whether it runs, and whether its read models and its store answer.
          livenessProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 10
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
          startupProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 2
            failureThreshold: 60
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            {{- toYaml .root.Values.resources | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: keys, mountPath: /keys}
            - {name: config, mountPath: /etc/traga, readOnly: true}
            {{- if .root.Values.store.secret }}
            - {name: store, mountPath: /run/traga/store, readOnly: true}
            {{- end }}
            {{- if .root.Values.store.certificates }}
            - {name: certificates, mountPath: /certs, readOnly: true}
            {{- end }}
            {{- if .root.Values.metrics.tokenSecret }}
            - {name: metrics, mountPath: /run/traga/metrics, readOnly: true}
            {{- end }}
            {{- range .root.Values.secretSettings }}
            - {name: {{ .name | lower | replace "_" "-" }}, mountPath: {{ printf "/run/traga/%s" .name }}, readOnly: true}
            {{- end }}
            {{- if and .reactions .root.Values.reactionsSecret }}
            - {name: reactions, mountPath: /secrets, readOnly: true}
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ .root.Release.Name }}
            items: [{key: {{ .config }}, path: traga.yaml}]
        - name: keys
          persistentVolumeClaim:
            claimName: {{ .root.Values.keys.existingClaim | default (printf "%s-keys" .root.Release.Name) }}
        {{- if .root.Values.store.secret }}
        - name: store
          secret: {secretName: {{ .root.Values.store.secret }}, defaultMode: 0440}
        {{- end }}
        {{- if .root.Values.store.certificates }}
        - name: certificates
          secret: {secretName: {{ .root.Values.store.certificates }}, defaultMode: 0440}
        {{- end }}
        {{- if .root.Values.metrics.tokenSecret }}
        - name: metrics
          secret: {secretName: {{ .root.Values.metrics.tokenSecret }}, defaultMode: 0440}
        {{- end }}
        {{- range .root.Values.secretSettings }}
        - name: {{ .name | lower | replace "_" "-" }}
          secret: {secretName: {{ .secret }}, defaultMode: 0440}
        {{- end }}
        {{- if and .reactions .root.Values.reactionsSecret }}
        - name: reactions
          secret: {secretName: {{ .root.Values.reactionsSecret }}, defaultMode: 0440}
        {{- end }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- if .root.Values.data.storageClass }}
        storageClassName: {{ .root.Values.data.storageClass }}
        {{- end }}
        resources: {requests: {storage: {{ .root.Values.data.size }}}}
{{- end -}}
