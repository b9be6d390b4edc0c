// Plays recorded episodes: each film is fetched once and then played here, without traffic. Bodies are shapes of the
// twin moved by recorded poses; below them the traces that decide success, with their bounds and the moment of failure.
import { OrbitControls, THREE } from "nicegui-scene";

const SPAN = 46; // height of one trace, in its own units; 320 wide

function geometryOf({ kind, size }) {
  if (kind === "sphere") return new THREE.SphereGeometry(size[0], 20, 14);
  if (kind === "ellipsoid") return new THREE.SphereGeometry(1, 20, 14).scale(...size);
  if (kind === "capsule") return new THREE.CapsuleGeometry(size[0], 2 * size[1], 6, 14).rotateX(Math.PI / 2);
  if (kind === "cylinder") return new THREE.CylinderGeometry(size[0], size[0], 2 * size[1], 24).rotateX(Math.PI / 2);
  if (kind === "plane") return new THREE.PlaneGeometry(2 * (size[0] || 2), 2 * (size[1] || 2));
  return new THREE.BoxGeometry(...size.map((half) => 2 * Math.max(half, 0.0005)));
}

function stageIn(canvas, film) {
  const renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(40, 4 / 3, 0.01, 50);
  camera.up.set(0, 0, 1);
  scene.add(new THREE.HemisphereLight(0xffffff, 0x667788, 2.4));
  const sun = new THREE.DirectionalLight(0xffffff, 1.4);
  sun.position.set(1, -2, 3);
  scene.add(sun);
  const bodies = [];
  for (const shape of film.shapes) {
    bodies[shape.body] ??= scene.add(new THREE.Group()).children.at(-1);
    const [red, green, blue, alpha] = shape.colour;
    const colour = new THREE.Color().setRGB(red, green, blue, THREE.SRGBColorSpace);
    const look = { color: colour, transparent: alpha < 1, opacity: alpha, roughness: 0.75, side: THREE.DoubleSide };
    const mesh = new THREE.Mesh(geometryOf(shape), new THREE.MeshStandardMaterial(look));
    mesh.position.set(...shape.position);
    const [w, x, y, z] = shape.rotation;
    mesh.quaternion.set(x, y, z, w);
    bodies[shape.body].add(mesh);
  }
  const controls = new OrbitControls(camera, canvas);
  const draw = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    renderer.setSize(width, height, false);
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    camera.aspect = width / Math.max(height, 1);
    camera.updateProjectionMatrix();
    renderer.render(scene, camera);
  };
  controls.addEventListener("change", draw);
  return { bodies, camera, controls, draw };
}

function pose({ bodies }, numbers) {
  const count = numbers.length / 7;
  bodies.forEach((body, number) => {
    if (number >= count) return;
    const [x, y, z, w, i, j, k] = numbers.slice(7 * number, 7 * number + 7);
    body.position.set(x, y, z);
    body.quaternion.set(i, j, k, w);
  });
}

function frameCamera(stage, episode) {
  const box = new THREE.Box3();
  for (const numbers of [episode.poses[0], episode.poses.at(-1)]) {
    pose(stage, numbers);
    stage.bodies.forEach((body, number) => number && box.expandByObject(body));
  }
  const centre = box.getCenter(new THREE.Vector3());
  const reach = Math.min(box.getSize(new THREE.Vector3()).length(), 2.2);
  stage.controls.target.copy(centre);
  stage.camera.position.copy(centre).add(new THREE.Vector3(0.75, -1, 0.55).multiplyScalar(reach * 0.95));
  stage.controls.update();
}

const oneDecimal = (value) =>
  value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const svg = (tag, attributes) => {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
};

function traceOf(line, dt, end) {
  const bounds = [line.low, line.high].filter((bound) => bound !== null);
  const known = line.values.filter((value) => value !== null);
  // A value far beyond its bound would flatten the rest.
  const most = Math.max(...bounds.map(Math.abs), 0) * 4 || Infinity;
  const clipped = (value) => Math.max(-most, Math.min(most, value));
  const all = [...known.map(clipped), ...bounds];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at = (value) => 3 + (SPAN - 6) * (1 - (clipped(value) - low) / (high - low || 1));
  const picture = svg("svg", { viewBox: `0 0 320 ${SPAN}`, preserveAspectRatio: "none", role: "img", "aria-label": line.words });
  for (const bound of bounds) picture.append(svg("line", { class: "bound", x1: 0, x2: 320, y1: at(bound), y2: at(bound) }));
  const points = line.values.flatMap((value, step) => (value === null ? [] : [`${((step + 1) * dt * 320) / end},${at(value)}`]));
  picture.append(svg("polyline", { class: line.decided ? "line decided" : "line", points: points.join(" ") }));
  if (line.broken_at !== null) {
    const x = (line.broken_at * 320) / end;
    picture.append(svg("line", { class: "broken", x1: x, x2: x, y1: 0, y2: SPAN }));
  }
  const cursor = svg("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: SPAN });
  picture.append(cursor);
  return { picture, cursor };
}

function showTraces(place, film, episode, end, fails) {
  place.replaceChildren();
  return episode.lines.map((line) => {
    const { picture, cursor } = traceOf(line, film.dt, end);
    const label = document.createElement("p");
    label.className = "note";
    const broken = () => fails.replace("{line}", () => line.words).replace("{seconds}", oneDecimal(line.broken_at));
    label.textContent = line.broken_at === null ? line.words : broken();
    place.append(label, picture);
    return cursor;
  });
}

class Player {
  constructor(root, films) {
    this.root = root;
    this.films = films;
    this.button = root.querySelector("[data-play]");
    this.slider = root.querySelector("input[type=range]");
    this.clock = root.querySelector("[data-clock]");
    this.views = [...root.querySelectorAll("figure")].map((figure) => {
      const film = films[Number(figure.dataset.film)];
      const stage = stageIn(figure.querySelector("canvas"), film);
      return { figure, film, stage, theirs: figure.dataset.who === "controller" };
    });
    this.button.onclick = () => (this.playing ? this.pause() : this.play());
    this.slider.oninput = () => { this.pause(); this.show(this.slider.valueAsNumber); };
    root.querySelector("select").onchange = (event) => this.choose(event.target.value);
    new ResizeObserver(() => this.views.forEach(({ stage }) => stage.draw())).observe(root);
    this.choose(root.querySelector("select").value);
  }

  choose(kind) {
    this.pause();
    for (const view of this.views) {
      const [name, number] = kind.split(" ");
      const { episodes, theirs } = view.film;
      const found = episodes.filter((each) => each.kinds.includes(name))[Number(number || 0)] ?? episodes[0];
      view.episode = (view.theirs && theirs.find((each) => each.place === found.place)) || found;
    }
    const length = ({ episode, film }) => episode.poses.length * film.seconds_a_frame;
    this.end = Math.max(...this.views.map(length));
    this.slider.max = this.end;
    for (const view of this.views) {
      const { episode, figure, film, stage } = view;
      const said = figure.querySelector("[data-said]");
      const outcome = episode.success ? said.dataset.succeeds : said.dataset.fails;
      said.textContent = outcome.replace("{job}", episode.place + 1);
      view.cursors = showTraces(figure.querySelector("[data-traces]"), film, episode, this.end, this.root.dataset.broken);
      frameCamera(stage, episode);
    }
    this.show(0);
  }

  show(seconds) {
    this.now = Math.max(0, Math.min(seconds, this.end)); // a frame may be of before the click
    this.slider.value = this.now;
    this.clock.textContent = `${oneDecimal(this.now)} s`;
    this.slider.setAttribute("aria-valuetext", this.clock.textContent);
    for (const { cursors, episode, film, stage } of this.views) {
      const frame = Math.min(Math.floor(this.now / film.seconds_a_frame), episode.poses.length - 1);
      pose(stage, episode.poses[frame]);
      stage.draw();
      const x = (this.now * 320) / this.end;
      for (const cursor of cursors) { cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); }
    }
  }

  play() {
    this.playing = true;
    this.button.textContent = this.button.dataset.pause;
    let before = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      const next = (this.now >= this.end ? 0 : this.now) + (now - before) / 1000;
      before = now;
      this.show(next);
      if (this.now >= this.end) this.pause();
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause() {
    this.playing = false;
    this.button.textContent = this.button.dataset.play;
  }
}

async function begin(root) {
  root.dataset.begun = "yes";
  const refusal = root.querySelector(".refusal");
  try {
    const films = await Promise.all(root.dataset.films.split(" ").map(async (path) => {
      const answer = await fetch(path);
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error.message);
      return said;
    }));
    new Player(root, films);
    root.dataset.ready = "yes";
  } catch (error) {
    refusal.textContent = error.message;
  }
}

const look = () => document.querySelectorAll("[data-films]:not([data-begun])").forEach(begin);
new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
look();
