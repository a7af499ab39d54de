package browsertest_test

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// call sends a command of the DevTools protocol to the tab.
func call[P, R any](tab *tab, command cdp.Command[P, R], parameters P) R {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, parameters)
	if err != nil {
		tab.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// offline takes the tab off the network, or puts it back. The page hears of it by the events offline and online.
func (tab *tab) offline(offline bool) {
	tab.t.Helper()
	tab.setNetwork(network.Conditions{DownloadThroughput: -1, UploadThroughput: -1, Offline: offline})
	call(tab, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
	})
}

// setNetwork makes the tab's network slow.
func (tab *tab) setNetwork(conditions network.Conditions) {
	tab.t.Helper()
	call(tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{&conditions},
	})
}
