// The one part of @kubernetes/client-node that is used: kubeconfig files and what they lead to. Alone in a module, so that only those
// who discover by Kubernetes load it; the build puts it with its packages into one file (scripts/bundle-agent.mjs). The package's front
// door would cost 69 MB of memory for API classes that nobody uses here.

export { KubeConfig } from "@kubernetes/client-node/dist/config.js";
