package outbound

import (
	"net/netip"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// TestGuardKnowsEverySpecialNetworkOfIANA walks the first, a middle and the last
// address of every network of the two special-purpose registries, and the public
// neighbours of those that have some.
func TestGuardKnowsEverySpecialNetworkOfIANA(t *testing.T) {
	t.Parallel()
	for _, network := range []string{
		// iana-ipv4-special-registry
		"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32",
		"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32",
		// iana-ipv6-special-registry
		"::1/128", "::/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
		"2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
		"2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
		"5f00::/16", "fc00::/7", "fe80::/10",
		// Multicast, and what is deprecated or was never assigned.
		"224.0.0.0/4", "ff00::/8", "fec0::/10", "::/96", "::ffff:0:0:0/96", "4000::/3", "e000::/4",
	} {
		p := netip.MustParsePrefix(network)
		for _, addr := range []netip.Addr{p.Addr(), middle(p), last(p)} {
			assert.False(t, Public(addr), network+": "+addr.String())
		}
	}
	for _, neighbour := range []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "8.8.8.8", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2000::1",
		"2606:4700::1111", "2620:4f:7fff::", "2620:4f:8001::", "3ffe:ffff::", "3fff:1000::",
	} {
		assert.True(t, Public(netip.MustParseAddr(neighbour)), neighbour)
	}
}

func TestGuardRefusesAddressesInDisguise(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "2002:7f00:1::",
		"2002:808:808::1", "2001:0:7f00:1::", "::ffff:0:127.0.0.1", "2606:4700::1111%eth0",
	} {
		assert.False(t, Public(netip.MustParseAddr(text)), text)
	}
	assert.False(t, Public(netip.Addr{}), "the zero address")
}

func TestGuardJudgesWhatTheDialerConnectsTo(t *testing.T) {
	t.Parallel()
	g := guard{allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	assert.NoError(t, g.control("tcp4", "8.8.8.8:443", nil))
	assert.NoError(t, g.control("tcp4", "10.1.2.3:443", nil))
	for _, address := range []string{"10.2.0.1:443", "[::ffff:10.1.2.3]:443", "[::1]:443", "example.com:443", "", "[fe80::1%lo]:80"} {
		assert.ErrorIs(t, g.control("tcp6", address, nil), ErrAddress)
	}
	assert.ErrorIs(t, g.control("udp4", "8.8.8.8:443", nil), ErrAddress)
	assert.ErrorIs(t, g.control("unix", "/run/docker.sock", nil), ErrAddress)
}

func middle(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	if bits := p.Bits(); bits < len(b)*8 {
		b[bits/8] |= 0x80 >> (bits % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
