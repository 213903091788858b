package twofactor

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// maxPictures bounds what pictures remembers: 64 of them are about 100 kB.
const maxPictures = 64

// pictures remembers QR codes, which take milliseconds to draw, in the memory of the
// process, the youngest ones only.
type pictures struct {
	mu    sync.Mutex
	order []string // the oldest first
	drawn map[string][]byte
}

// draw returns the picture of the enrolment with that id.
func (p *pictures) draw(id string, uri token.Secret) ([]byte, error) {
	if png := p.remembered(id); png != nil {
		return png, nil
	}
	png, err := totp.QR(uri)
	if err != nil {
		return nil, fmt.Errorf("twofactor: draw a QR code: %w", err)
	}
	p.remember(id, png)
	return png, nil
}

func (p *pictures) remembered(id string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drawn[id]
}

func (p *pictures) remember(id string, png []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn == nil {
		p.drawn = map[string][]byte{}
	}
	if p.drawn[id] == nil {
		p.order = append(p.order, id)
	}
	p.drawn[id] = png
	if len(p.order) > maxPictures {
		delete(p.drawn, p.order[0])
		p.order = slices.Delete(p.order, 0, 1)
	}
}
