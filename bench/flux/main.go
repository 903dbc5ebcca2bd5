// Flux-apply applies a file of manifests with the library that Flux's kustomize-controller applies with, and prints how
// long that took, in milliseconds. Starting, reading the file and asking the cluster for its kinds are not in it: Flux
// runs all the time. Its client is not throttled.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("use: flux-apply KUBECONFIG FILE")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make the client: %w", err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return fmt.Errorf("ask for the kinds: %w", err)
	}
	kube, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return fmt.Errorf("make the client: %w", err)
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		return fmt.Errorf("open the manifests: %w", err)
	}
	objects, err := utils.ReadObjects(file)
	if err != nil {
		return fmt.Errorf("read the manifests: %w", err)
	}
	for _, object := range objects {
		if object.GetNamespace() == "" {
			object.SetNamespace("default")
		}
	}
	// The mapper learns the kinds at the first question, which is not part of the work.
	if _, err := kube.RESTMapper().RESTMapping(objects[0].GroupVersionKind().GroupKind()); err != nil {
		return fmt.Errorf("ask for the kinds: %w", err)
	}
	manager := ssa.NewResourceManager(kube, nil, ssa.Owner{Field: "flux-apply", Group: "bench.hedgerow.io"})
	start := time.Now()
	if _, err := manager.ApplyAll(context.Background(), objects, ssa.DefaultApplyOptions()); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	fmt.Printf("%.3f\n", float64(time.Since(start).Microseconds())/1000)
	return nil
}
