/* Questions with choices: the predictions of a chapter and its quiz.

A chapter writes an option as <details><summary>a) text</summary>Right. Why.</details>, so that it opens with its
reply in Jupyter, in Colab and without this script. On a page the options of a question become buttons. The first
choice counts and is kept in the browser. What follows a prediction stays hidden until a choice is made; searching
in the page, a link that leads there, and printing open it. */
(() => {
  "use strict";

  const STORE = "alexnet-ask:" + location.pathname.split("/").pop();
  const OPEN = "alexnet-ask-open"; // of all chapters: results are never hidden
  const IS_OPTION = /^\s*[a-h]\)\s/;
  const IS_PREDICTION = /^\s*Predict\b/;
  const questions = [];

  /** What the browser has kept under a name, or null, also where it keeps nothing. */
  function load(name) {
    try {
      return JSON.parse(localStorage.getItem(name));
    } catch {
      return null;
    }
  }

  function save(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value));
    } catch {
      /* A browser that keeps nothing still shows the replies. */
    }
  }

  function make(tag, className, text = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  }

  function makeButton(className, text, onClick) {
    const button = make("button", className, text);
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  }

  const isOption = (element) =>
    element?.tagName === "DETAILS" && IS_OPTION.test(element.querySelector("summary")?.textContent ?? "");

  const isPrediction = (element) => element?.tagName === "P" && IS_PREDICTION.test(element.textContent);

  /** The options that stand together from this one on. */
  function optionsFrom(first) {
    const options = [];
    for (let option = first; isOption(option); option = option.nextElementSibling) {
      options.push(option);
    }
    return options;
  }

  /** What a prediction hides: all that follows, up to the next prediction or section. */
  function resultsAfter(element) {
    const results = [];
    let next = element.nextElementSibling;
    for (; next && next.tagName !== "SECTION" && !isPrediction(next); next = next.nextElementSibling) {
      results.push(next);
    }
    return results;
  }

  class Question {
    constructor(options, place) {
      this.asked = options[0].previousElementSibling;
      this.isPrediction = isPrediction(this.asked);
      this.name = `${place}/${options.length}`;
      this.chosen = null;
      this.said = make("span", "ask-said");
      this.said.setAttribute("role", "status");
      this.list = make("ul", "ask");
      this.list.setAttribute("aria-label", this.asked.textContent.trim().slice(0, 200));
      this.options = options.map((option, i) => this.replace(option, i));
      this.list.append(...this.options.map((option) => option.item));
      options[0].before(this.list, this.said);
      options.forEach((option) => option.remove());
      this.results = this.isPrediction ? resultsAfter(this.said) : [];
    }

    /** Make a button of an option, and let its reply wait. */
    replace(option, i) {
      const item = make("li", "ask-option");
      const button = makeButton("ask-choice", "", () => this.choose(i));
      button.append(...option.querySelector("summary").childNodes);
      button.setAttribute("aria-expanded", "false");
      option.querySelector("summary").remove();
      const reply = make("div", "ask-reply");
      reply.append(...option.childNodes);
      reply.hidden = true;
      item.append(button, reply);
      return { item, button, reply, isRight: /^\s*Right\b/.test(reply.textContent) };
    }

    choose(i) {
      const { item, button, reply, isRight } = this.options[i];
      if (this.chosen === null) {
        this.chosen = i;
        save(STORE, { ...load(STORE), [this.name]: i });
      }
      reply.hidden = !reply.hidden;
      button.setAttribute("aria-expanded", String(!reply.hidden));
      item.classList.add(isRight ? "ask-right" : "ask-wrong");
      this.said.textContent = reply.hidden ? "" : reply.textContent.trim();
      this.reveal();
      showScore();
    }

    /** Hide the results, with a word about how to see them. */
    hide() {
      if (!this.results.length) {
        return;
      }
      this.note = make("p", "ask-note", "The result is hidden until you choose. ");
      this.note.append(
        makeButton("ask-small", "Show it", () => this.reveal()),
        " ",
        makeButton("ask-small", "Always show results", () => {
          save(OPEN, true);
          questions.forEach((question) => question.reveal());
          showScore();
        }),
      );
      this.said.after(this.note);
      for (const result of this.results) {
        result.setAttribute("hidden", "until-found");
        result.addEventListener("beforematch", () => this.reveal());
      }
    }

    /** Show the results; the focus of a button that goes away moves on to the first of them. */
    reveal() {
      const focused = this.note?.contains(document.activeElement);
      this.note?.remove();
      this.results.forEach((result) => result.removeAttribute("hidden"));
      if (focused) {
        this.results[0].tabIndex = -1;
        this.results[0].focus({ preventScroll: true });
      }
    }

    get isRight() {
      return this.chosen !== null && this.options[this.chosen].isRight;
    }
  }

  function findQuestions(article) {
    for (const option of [...article.querySelectorAll("details")]) {
      if (isOption(option) && !isOption(option.previousElementSibling)) {
        questions.push(new Question(optionsFrom(option), questions.length));
      }
    }
  }

  /** Choose again what the browser remembers, and hide the results of the other predictions. */
  function restore() {
    const kept = load(STORE) ?? {};
    const open = load(OPEN) === true;
    for (const question of questions) {
      const choice = kept[question.name];
      if (question.options[choice]) {
        question.choose(choice);
      } else if (!open) {
        question.hide();
      }
    }
  }

  const score = make("p", "ask-score");

  function count(some) {
    return `${some.filter((question) => question.isRight).length} of ${some.length}`;
  }

  function showScore() {
    const answered = questions.filter((question) => question.chosen !== null);
    const left = questions.length - answered.length;
    const predictions = answered.filter((question) => question.isPrediction);
    const others = answered.filter((question) => !question.isPrediction);
    const parts = [];
    if (predictions.length) {
      parts.push(`predictions right at the first try: ${count(predictions)}`);
    }
    if (others.length) {
      parts.push(`questions: ${count(others)}`);
    }
    parts.push(left ? `${left} left` : "all answered");
    const text = parts.join("; ");
    score.replaceChildren(`${text[0].toUpperCase()}${text.slice(1)}. `);
    if (answered.length || load(OPEN)) {
      score.append(makeButton("ask-small", "Start this chapter again", startAgain));
    }
  }

  function startAgain() {
    save(STORE, {});
    save(OPEN, false);
    location.reload();
  }

  /** A link may lead to what is hidden. */
  function revealTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (const question of questions) {
      if (target && question.results.some((result) => result.contains(target))) {
        question.reveal();
        target.scrollIntoView();
      }
    }
  }

  /** On paper everything is open; afterwards the page is what it was. */
  function openForPrint() {
    const folded = [...document.querySelectorAll(".bd-article details:not([open])")];
    const hidden = [...document.querySelectorAll(".bd-article .ask-reply[hidden], .bd-article [hidden='until-found']")];
    const states = hidden.map((element) => element.getAttribute("hidden"));
    folded.forEach((element) => (element.open = true));
    hidden.forEach((element) => element.removeAttribute("hidden"));
    window.addEventListener(
      "afterprint",
      () => {
        folded.forEach((element) => (element.open = false));
        hidden.forEach((element, i) => element.setAttribute("hidden", states[i]));
      },
      { once: true },
    );
  }

  function start() {
    window.addEventListener("beforeprint", openForPrint);
    const article = document.querySelector(".bd-article");
    findQuestions(article);
    if (!questions.length) {
      return;
    }
    restore();
    questions.at(-1).said.after(score);
    showScore();
    revealTarget();
    window.addEventListener("hashchange", revealTarget);
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
