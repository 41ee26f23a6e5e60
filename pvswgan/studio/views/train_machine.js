// How busy the machine is: the numbers of the last second, and a line of the last two minutes.
//
//   const load = new pvs.MachineLoad(element);
//   load.show(machine);      as api/runs/ID/status tells it
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.MachineLoad) return;
  const { write } = pvs.train;
  const SECONDS = 120, WIDE = 120, HIGH = 26; // of a line, in seconds and pixels

  const percent = (share) => (typeof share === "number" ? `${Math.round(100 * share)} %` : "–");
  const gib = (bytes) => (typeof bytes === "number" ? (bytes / 2 ** 30).toFixed(1) : "–");
  const share = (part, whole) => (typeof part === "number" && whole ? part / whole : null);

  pvs.MachineLoad = class MachineLoad {
    #cells = new Map(); // name -> {value, more, canvas, past}

    constructor(element) {
      this.element = element;
    }

    show(machine) {
      const { process, gpus } = machine;
      const own = (text) => (process ? `training: ${text}` : "no training at work");
      this.#cell("CPU", `${percent(machine.cpu)} of ${machine.cores} cores`,
        own(typeof process?.cpu === "number" ? `${process.cpu.toFixed(1)} cores` : "–"), machine.cpu);
      this.#cell("Memory", `${gib(machine.memory)} of ${gib(machine.memory_total)} GiB`, own(`${gib(process?.memory)} GiB`),
        share(machine.memory, machine.memory_total));
      for (const gpu of gpus) {
        this.#cell(gpus.length > 1 ? `GPU ${gpu.index}` : "GPU",
          `${percent(gpu.busy)}, ${gib(gpu.memory)} of ${gib(gpu.memory_total)} GiB`,
          [gpu.name, typeof gpu.celsius === "number" ? `${gpu.celsius} °C` : ""].filter(Boolean).join(", "), gpu.busy);
      }
      this.#cell("Disk", `${gib(machine.disk_free)} GiB free`, `of ${gib(machine.disk_total)} GiB`,
        machine.disk_total ? 1 - machine.disk_free / machine.disk_total : null);
    }

    #cell(name, value, more, level) {
      if (!this.#cells.has(name)) this.#cells.set(name, this.#make(name));
      const cell = this.#cells.get(name);
      write(cell.value, value);
      write(cell.more, more);
      const now = Date.now();
      cell.past.push([now, level]);
      while (cell.past[0][0] < now - SECONDS * 1000) cell.past.shift();
      this.#line(cell, now);
    }

    #make(name) {
      const pair = pvs.node("div"), words = pvs.node("dd"), value = pvs.node("span"), more = pvs.node("small");
      const canvas = pvs.node("canvas");
      words.dataset.machine = name;
      canvas.setAttribute("aria-hidden", "true");
      words.append(value, canvas, more);
      pair.append(pvs.node("dt", "", name), words);
      const disk = this.element.querySelector('[data-machine="Disk"]')?.parentElement ?? null; // the disk stays last
      this.element.insertBefore(pair, disk);
      return { value, more, canvas, past: [] };
    }

    #line({ canvas, past }, now) {
      const density = window.devicePixelRatio || 1;
      canvas.width = WIDE * density;
      canvas.height = HIGH * density;
      const context = canvas.getContext("2d");
      context.scale(density, density);
      context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
      const points = past.filter(([, level]) => typeof level === "number")
        .map(([when, level]) => [WIDE - ((now - when) / (SECONDS * 1000)) * WIDE, 1 + (HIGH - 2) * (1 - Math.min(1, level))]);
      if (!points.length) return;
      context.beginPath();
      points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.lineWidth = 1.5;
      context.stroke();
      context.lineTo(WIDE, HIGH);
      context.lineTo(points[0][0], HIGH);
      context.globalAlpha = 0.18;
      context.fill();
    }
  };
})();
