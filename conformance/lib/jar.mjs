// A fetch that keeps cookies as a browser does and remembers what was answered.
export function jar() {
  const cookies = new Map();
  const secrets = new Set(); // every cookie value there ever was
  const answers = [];

  function keep(header) {
    const [pair, ...attributes] = header.split(";").map((part) => part.trim());
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const age = attributes.find((a) => /^max-age=/i.test(a))?.slice(8);
    if (value === "" || (age !== undefined && Number(age) <= 0)) {
      cookies.delete(name);
      return;
    }
    cookies.set(name, { value, attributes });
    secrets.add(value);
  }

  return {
    cookies,
    secrets,
    answers,
    async fetch(input, init = {}) {
      const headers = new Headers(init.headers);
      if (cookies.size > 0) {
        headers.set("cookie", [...cookies].map(([name, { value }]) => `${name}=${value}`).join("; "));
      }
      const answer = await fetch(input, { redirect: "manual", ...init, headers });
      answer.headers.getSetCookie().forEach(keep);
      const text = await answer.clone().text();
      answers.push({ url: String(input), status: answer.status, headers: answer.headers, text });
      return answer;
    },
    last: () => answers.at(-1),
  };
}
