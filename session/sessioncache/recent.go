package sessioncache

import "github.com/tenon-go/tenon/session"

// remembered is how many revocations are told apart. A lookup that takes longer
// than so many is taken to be overtaken.
const remembered = 256

// recent is the latest revocations: a lookup that began before one of its own
// session must not be remembered, whatever it read.
type recent struct {
	count uint64
	ring  [remembered]session.Revocation
}

func (r *recent) add(rev session.Revocation) {
	r.ring[r.count%remembered] = rev
	r.count++
}

// overtook reports whether one of those that came after the first since ended
// what i says.
func (r *recent) overtook(i *session.Identity, since uint64) bool {
	if r.count-since > remembered {
		return true
	}
	for ; since < r.count; since++ {
		if ends(r.ring[since%remembered], i) {
			return true
		}
	}
	return false
}

func ends(r session.Revocation, i *session.Identity) bool {
	if r.UserID == "" {
		return true
	}
	return r.UserID == i.User.ID && (r.SessionID == "" || r.SessionID == i.Session.ID)
}
