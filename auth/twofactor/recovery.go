package twofactor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

// Recovery codes: how many, and how long. 25 characters of base32 are 125 bits, so
// that a fast MAC at rest suffices (ASVS 6.5.2 asks for 112 or a slow hash).
const (
	recoveryCodes  = 10
	recoveryLength = 25
	recoveryGroup  = 5
	recoveryBytes  = 16
	recoveryLow    = 3
)

// labelRecovery names the key of the codes.
const labelRecovery = "recovery-code"

// newRecoveryCodes returns codes as they are shown, and what recognises them.
func (s *Service) newRecoveryCodes(ctx context.Context, userID string) ([]string, []RecoveryCode, error) {
	kid, key, err := s.cfg.Keys.ActiveSubkey(ctx, crypto.PurposeToken, labelRecovery)
	if err != nil {
		return nil, nil, fmt.Errorf("twofactor: key of the recovery codes: %w", err)
	}
	shown, rows, now := make([]string, recoveryCodes), make([]RecoveryCode, recoveryCodes), s.now()
	for i := range rows {
		var raw [recoveryBytes]byte
		if _, err := io.ReadFull(s.cfg.Rand, raw[:]); err != nil {
			return nil, nil, fmt.Errorf("twofactor: make a recovery code: %w", err)
		}
		code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:])[:recoveryLength]
		id, err := s.newID()
		if err != nil {
			return nil, nil, err
		}
		shown[i] = grouped(code)
		rows[i] = RecoveryCode{
			ID: id, UserID: userID, CreatedAt: now,
			Verifier: token.Verifier{KID: kid, MAC: recoveryMAC(key, userID, code)},
		}
	}
	return shown, rows, nil
}

// grouped writes a code as people read it.
func grouped(code string) string {
	var b strings.Builder
	for i := range len(code) {
		if i > 0 && i%recoveryGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(code[i])
	}
	return b.String()
}

// cleanRecoveryCode is the one place that decides what a typed recovery code is:
// letters in any case, with hyphens and spaces wherever somebody put them.
func cleanRecoveryCode(typed string) (string, bool) {
	if len(typed) > 3*recoveryLength {
		return "", false
	}
	code := make([]byte, 0, recoveryLength)
	for i := range len(typed) {
		switch c := typed[i]; {
		case c >= 'a' && c <= 'z':
			code = append(code, c-'a'+'A')
		case c >= 'A' && c <= 'Z', c >= '2' && c <= '7':
			code = append(code, c)
		case !strings.ContainsRune("- \t\r\n", rune(c)):
			return "", false
		}
	}
	return string(code), len(code) == recoveryLength
}

// recoveryMAC binds a code to its user: another user's is nothing (CVE-2025-64175).
func recoveryMAC(key []byte, userID, code string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range []string{"tenon/recovery-code/v1", userID, code} {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// recoveryKeys returns the keys that the user's codes were hashed under, of which there
// is one, as they are made together, and how many codes are left. Codes whose key was
// destroyed are nothing any more.
func (s *Service) recoveryKeys(ctx context.Context, userID string) (keys map[string][]byte, left int, err error) {
	counts, err := s.store.RecoveryKeys(ctx, userID)
	if err != nil {
		return nil, 0, fmt.Errorf("twofactor: find recovery codes: %w", err)
	}
	keys = make(map[string][]byte, len(counts))
	for kid, n := range counts {
		key, err := s.cfg.Keys.Subkey(ctx, crypto.PurposeToken, labelRecovery, kid)
		if errors.Is(err, crypto.ErrKeyDestroyed) {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("twofactor: key of a recovery code: %w", err)
		}
		keys[kid] = key
		left += n
	}
	return keys, left, nil
}

// recoveryVerifiers returns what a code looks like under each of those keys.
func (s *Service) recoveryVerifiers(ctx context.Context, userID, code string) ([]token.Verifier, error) {
	keys, left, err := s.recoveryKeys(ctx, userID)
	if err != nil {
		return nil, err
	}
	if left == 0 {
		return nil, ErrNoRecoveryCodes
	}
	var all []token.Verifier
	for kid, key := range keys {
		all = append(all, token.Verifier{KID: kid, MAC: recoveryMAC(key, userID, code)})
	}
	return all, nil
}

// recoveryPace slows guesses at recovery codes down like those at passwords. Nobody
// guesses 125 bits; the pace keeps a machine from being busy with it.
func recoveryPace() auth.Pace {
	return auth.Pace{Free: 5, Step: time.Second, MaxWait: 15 * time.Minute, Cap: 30, Decay: time.Hour}
}

const factorRecovery = "recovery"

// CheckRecovery implements account.SecondFactors: it charges a guess and returns
// what uses the recovery code up, in the transaction of what it permits.
func (s *Service) CheckRecovery(ctx context.Context, userID, typed string) (account.FactorProof, error) {
	return s.checkRecovery(ctx, inSession(userID), userID, typed)
}

func (s *Service) checkRecovery(ctx context.Context, g guesser, userID, typed string) (account.FactorProof, error) {
	guess, err := s.cfg.Auth.Charge(ctx, factorRecovery+g.of, g.recovery, recoveryPace())
	if err != nil {
		return account.FactorProof{}, err
	}
	code, ok := cleanRecoveryCode(typed)
	if !ok {
		return account.FactorProof{}, ErrInvalidRecoveryCode
	}
	verifiers, err := s.recoveryVerifiers(ctx, userID, code)
	if err != nil {
		return account.FactorProof{}, err
	}
	return account.FactorProof{Channel: auth.ChannelRecovery, Guess: guess, Use: func(ctx context.Context) error {
		return s.useRecoveryCode(ctx, userID, verifiers)
	}}, nil
}

// useRecoveryCode uses the code up and tells its owner.
func (s *Service) useRecoveryCode(ctx context.Context, userID string, verifiers []token.Verifier) error {
	for _, v := range verifiers {
		used, err := s.store.UseRecoveryCode(ctx, userID, v, s.now())
		if err != nil {
			return fmt.Errorf("twofactor: use a recovery code: %w", err)
		}
		if used {
			return s.tellRecoveryUsed(ctx, userID)
		}
	}
	return ErrInvalidRecoveryCode
}

func (s *Service) tellRecoveryUsed(ctx context.Context, userID string) error {
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return fmt.Errorf("twofactor: find the user: %w", err)
	}
	left, err := s.recoveryCodesLeft(ctx, userID)
	if err != nil {
		return err
	}
	kind := MailRecoveryUsed
	if left <= recoveryLow {
		kind = MailRecoveryLow
	}
	return s.cfg.Auth.Notify(ctx, user, kind, map[string]string{"Left": strconv.Itoa(left)})
}

func (s *Service) recoveryCodesLeft(ctx context.Context, userID string) (int, error) {
	_, left, err := s.recoveryKeys(ctx, userID)
	return left, err
}

// GenerateRecoveryCodes replaces all recovery codes and returns the new ones, which
// are shown once. The other sessions end, and the owner is told (rule R12). The
// caller needs the password, where there is one, and a fresh second factor. It
// refuses to run inside a transaction. Errors: ErrOff, account.ErrNotFresh,
// auth.ErrInvalidPassword, auth.ErrStale, and what the door says of the caller.
func (s *Service) GenerateRecoveryCodes(ctx context.Context, c account.Caller, password string) ([]string, error) {
	user, err := s.permit(ctx, c, password)
	if err != nil {
		return nil, err
	}
	if user.SecondFactorAt.IsZero() {
		return nil, ErrOff
	}
	shown, rows, err := s.newRecoveryCodes(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	err = s.secure(ctx, c, MailRecoveryReplaced, func(ctx context.Context, u auth.User) error {
		if u.SecondFactorAt.IsZero() {
			return ErrOff
		}
		return s.store.PutRecoveryCodes(ctx, u.ID, rows)
	})
	if err != nil {
		return nil, fmt.Errorf("twofactor: replace recovery codes: %w", err)
	}
	return shown, nil
}
