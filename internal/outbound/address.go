package outbound

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// special4 are the networks of IPv4 that are not the public internet: IANA's special-purpose registry as of 2025, also
// where it calls a network globally reachable, then multicast and the reserved rest.
func special4() []string {
	return []string{
		"0.0.0.0/8",       // this network, RFC 791
		"10.0.0.0/8",      // private, RFC 1918
		"100.64.0.0/10",   // shared by a carrier's customers, RFC 6598
		"127.0.0.0/8",     // loopback, RFC 1122
		"169.254.0.0/16",  // link-local, RFC 3927; where clouds keep credentials
		"172.16.0.0/12",   // private, RFC 1918
		"192.0.0.0/24",    // protocol assignments, RFC 6890
		"192.0.2.0/24",    // documentation, RFC 5737
		"192.31.196.0/24", // AS112, RFC 7535
		"192.52.193.0/24", // AMT, RFC 7450
		"192.88.99.0/24",  // relays of 6to4, RFC 7526
		"192.168.0.0/16",  // private, RFC 1918
		"192.175.48.0/24", // AS112, RFC 7534
		"198.18.0.0/15",   // benchmarks, RFC 2544
		"198.51.100.0/24", // documentation, RFC 5737
		"203.0.113.0/24",  // documentation, RFC 5737
		"224.0.0.0/4",     // multicast, RFC 5771
		"240.0.0.0/4",     // reserved, RFC 1112; with the limited broadcast
	}
}

// global6 is all that IPv6 has handed out for global unicast (RFC 4291); loopback, mapped and translated IPv4, unique
// local, link-local, site-local, segment-routing and multicast addresses lie outside.
const global6 = "2000::/3"

// special6 are the special networks within global6.
func special6() []string {
	return []string{
		"2001::/23",         // protocol assignments, RFC 2928: Teredo, benchmarks, AMT, AS112, ORCHID, DETs
		"2001:db8::/32",     // documentation, RFC 3849
		"2002::/16",         // 6to4, RFC 3056: an IPv4 address in disguise
		"2620:4f:8000::/48", // AS112, RFC 7534
		"3fff::/20",         // documentation, RFC 9637
	}
}

// Public reports whether addr is an address on the public internet: a unicast address outside every special-purpose
// network of IANA's registries. An IPv4 address inside an IPv6 address (mapped, translated, 6to4, Teredo) is not one, nor
// is an address with a zone, nor the zero Addr.
func Public(addr netip.Addr) bool {
	special := special6()
	switch {
	case !addr.IsValid():
		return false
	case addr.Is4():
		special = special4()
	case !netip.MustParsePrefix(global6).Contains(addr): // nor does it contain an address with a zone
		return false
	}
	return !slices.ContainsFunc(special, func(p string) bool { return netip.MustParsePrefix(p).Contains(addr) })
}

// guard judges addresses; nothing else lets a connection through.
type guard struct{ allow []netip.Prefix }

func (g guard) permits(addr netip.Addr) bool {
	return Public(addr) || slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// control is called by net.Dialer with the address it is about to connect to.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("outbound: %s is not a TCP address: %w", network, ErrAddress)
	}
	if !g.permits(to.Addr()) {
		return fmt.Errorf("outbound: %s: %w", to.Addr(), ErrAddress)
	}
	return nil
}
