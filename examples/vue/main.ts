// The page says where the gate is: <div id="app" data-gate="https://gate.example"></div>.

import { createApp } from 'vue';

import App from './App.vue';

const app = document.getElementById('app')!;
createApp(App, { gate: app.dataset['gate'], lang: app.dataset['lang'] ?? 'en' }).mount(app);
